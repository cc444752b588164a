"""SANE by the program `scanimage`: its traps, each with what is done against it."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ingest.sandbox import Program
from scanners.device import (
    CoverOpen,
    DeviceGone,
    DeviceStalled,
    DriverCrashed,
    Feed,
    FeederJam,
    Mode,
    PageTruncated,
    ScanCancelled,
    ScanFault,
    ScannedPage,
    ScanSettings,
    SettingRefused,
    Spool,
)
from scanners.device.tiff import shape_of
from scanners.sane import SaneDriver, ScanimageDriver, library, sane_driver
from scanners.sane.abi import Kind, Unit
from scanners.sane.printed import parsed
from tests.plugins.installation import PATIENCE
from tests.plugins.sane_backends import configured, require_sane

A5 = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FEEDER, paper="A5", timeout=PATIENCE)
SLOW = {"read_delay": "true", "read_delay_duration": "100000"}


@pytest.fixture(scope="module", autouse=True)
def sane() -> None:
    require_sane()


def driver(folder: Path, **test: str) -> ScanimageDriver:
    return ScanimageDriver(environment=configured(folder / "sane", **test))


def interrupted(
    driver: ScanimageDriver, folder: Path, settings: ScanSettings = A5
) -> tuple[ScanFault, list[ScannedPage]]:
    pages: list[ScannedPage] = []
    with driver.open("test:0", settings, Spool(folder)) as session:
        with pytest.raises(ScanFault) as caught:
            pages.extend(session.pages())  # what came before the fault counts
        return caught.value, pages


@pytest.mark.parametrize(
    "settings",
    [
        ScanSettings(mode=Mode.BITONAL, depth=1, dpi=75, feed=Feed.FLATBED, paper="letter"),
        ScanSettings(mode=Mode.GREY, dpi=75, feed=Feed.FLATBED, paper="A5"),
        ScanSettings(mode=Mode.COLOUR, depth=16, dpi=75, feed=Feed.FLATBED, paper="A5"),
    ],
)
def test_its_samples_are_those_that_the_library_gives(
    tmp_path: Path, settings: ScanSettings
) -> None:
    samples = []
    for each in (driver(tmp_path), SaneDriver(environment=configured(tmp_path / "sane"))):
        with each.open("test:0", settings, Spool(tmp_path / each.__class__.__name__)) as session:
            (page,) = session.pages()
        assert shape_of(page.path).is_whole
        with Image.open(page.path) as image:
            assert image.size == (page.facts.width, page.facts.height)
            assert image.info["dpi"] == (75.0, 75.0)
            # bits behind the end of a row of black and white are anybody's
            samples.append(image.convert("L") if image.mode == "1" else image.copy())
    assert samples[0].mode == samples[1].mode
    assert samples[0].tobytes() == samples[1].tobytes()


def test_a_folder_may_be_called_as_people_call_folders(tmp_path: Path) -> None:
    sane = driver(tmp_path)
    assert "test:0" in {each.id for each in sane.devices(30.0)}
    with sane.open("test:0", A5, Spool(tmp_path / "100% Läufer %d")) as session:
        assert len(list(session.pages())) == 10
        assert session.device.model == "frontend-tester"


def test_a_page_that_broke_off_is_no_success(tmp_path: Path) -> None:
    broken = driver(tmp_path, read_status_code='"SANE_STATUS_EOF"')
    error, pages = interrupted(broken, tmp_path / "spool")
    assert type(error) is PageTruncated
    assert "weitere Blätter eingezogen" in error.operator_text
    assert (pages, list((tmp_path / "spool").iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("status", "kind"),
    [("COVER_OPEN", CoverOpen), ("JAMMED", FeederJam), ("UNSUPPORTED", DeviceGone)],
)
def test_a_failed_page_is_not_counted_and_never_the_end(
    tmp_path: Path, status: str, kind: type[ScanFault]
) -> None:
    failing = driver(tmp_path, read_status_code=f'"SANE_STATUS_{status}"')
    error, pages = interrupted(failing, tmp_path / "spool")
    assert type(error) is kind
    assert (error.pages_done, pages) == (0, [])


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        # a page, then a signal of the driver's own: status 0, no word of an empty feeder
        ("scanimage: sane_read: Scanner cover is open\nscanimage: received signal 13", CoverOpen),
        ("scanimage: sane_start: Document feeder jammed", FeederJam),
    ],
)
def test_status_zero_alone_does_not_end_a_stack(
    tmp_path: Path, program: str, kind: type[ScanFault]
) -> None:
    sane = driver(tmp_path)
    wrapper = tmp_path / "scanimage"
    wrapper.write_text(
        '#!/bin/sh\ncase "$*" in *--batch=*) ;; *) exec scanimage "$@";; esac\n'
        f'scanimage "$@" --batch-count=2 2>/dev/null\ncat >&2 <<"END"\n{program}\nEND\nexit 0\n'
    )
    wrapper.chmod(0o755)
    lying = ScanimageDriver(environment=sane.environment, program=str(wrapper))
    error, pages = interrupted(lying, tmp_path / "spool")
    assert type(error) is kind
    assert error.pages_done == len(pages) == 2


def test_a_program_that_stands_still_counts_as_a_stalled_device(tmp_path: Path) -> None:
    pages: list[ScannedPage] = []
    with driver(tmp_path, **SLOW).open("test:0", A5, Spool(tmp_path / "spool")) as session:
        stream = session.pages()
        pages.append(next(stream))
        assert session._program is not None
        os.kill(session._program.pid, signal.SIGSTOP)
        session._taking.settings = replace(A5, timeout=1.0)
        with pytest.raises(DeviceStalled) as caught:
            pages.extend(stream)
    assert caught.value.pages_done == len(pages) < 10
    assert sorted((tmp_path / "spool").iterdir()) == [page.path for page in pages]


def test_a_program_that_is_killed_costs_its_page_and_nothing_else(tmp_path: Path) -> None:
    pages: list[ScannedPage] = []
    with driver(tmp_path, **SLOW).open("test:0", A5, Spool(tmp_path / "spool")) as session:
        stream = session.pages()
        pages.append(next(stream))
        assert session._program is not None
        os.kill(session._program.pid, signal.SIGKILL)
        with pytest.raises(DriverCrashed) as caught:
            pages.extend(stream)
    assert caught.value.pages_done == len(pages)
    assert sorted((tmp_path / "spool").iterdir()) == [page.path for page in pages]


def test_a_program_deaf_to_interruptions_is_killed(tmp_path: Path) -> None:
    sane = driver(tmp_path, **SLOW)
    wrapper = tmp_path / "scanimage"
    wrapper.write_text(
        '#!/bin/sh\ncase "$*" in *--batch=*) ;; *) exec scanimage "$@";; esac\n'
        'trap : INT\nscanimage "$@" &\nwait\nwait\nexit 0\n'
    )
    wrapper.chmod(0o755)
    deaf = ScanimageDriver(environment=sane.environment, program=str(wrapper))
    with deaf.open("test:0", A5, Spool(tmp_path / "spool")) as session:
        stream = session.pages()
        pages = [next(stream)]
        stopping = threading.Thread(target=session.cancel)
        stopping.start()
        with pytest.raises(ScanCancelled) as caught:
            pages.extend(stream)
        stopping.join()
    assert caught.value.pages_done == len(pages)
    assert sorted((tmp_path / "spool").iterdir()) == [page.path for page in pages]


def test_what_it_would_round_is_refused(tmp_path: Path) -> None:
    sane = ScanimageDriver(
        environment=configured(tmp_path / "sane"), options={"test:0": {"ppl-loss": 500}}
    )
    with pytest.raises(SettingRefused) as caught:
        sane.open("test:0", A5, Spool(tmp_path / "spool"))
    assert "0 bis 128" in caught.value.operator_text


def test_what_it_rounded_is_recorded(tmp_path: Path) -> None:
    letter = ScanSettings(mode=Mode.GREY, dpi=50, feed=Feed.FLATBED, paper="letter")
    with driver(tmp_path).open("test:0", letter, Spool(tmp_path / "spool")) as session:
        made = session.effective["br-x"]
    assert (made.requested, made.effective, made.inexact) == (215.9, 216, True)


def test_it_is_used_where_the_library_cannot_be_loaded_or_somebody_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(sane_driver(), SaneDriver)
    assert isinstance(sane_driver(by_program=True), ScanimageDriver)
    monkeypatch.setattr(library, "_SONAMES", ("libsane.so.none",))
    chosen = sane_driver(environment=configured(tmp_path / "sane"))
    with chosen.open("test:0", A5, Spool(tmp_path / "spool")) as session:
        assert len(list(session.pages())) == 10
    with pytest.raises(DeviceGone) as caught:
        ScanimageDriver(program="scanimage-is-not-here").devices(5.0)
    assert "sane-utils" in caught.value.operator_text


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        (
            "    --mode Lineart|Gray [Gray]",
            "mode",
            {"kind": Kind.STRING, "choices": ("Lineart", "Gray")},
        ),
        ("    --resolution 75|150dpi [75]", "resolution", {"choices": (75, 150)}),
        ("    --resolution auto||75|90dpi [75]", "resolution", {"choices": (75, 90)}),
        ("    -y 0..355.6mm [297]", "br-y", {"limits": (0.0, 355.6, 0.0), "unit": Unit.MM}),
        ("    --gamma 4..192pel,... (in steps of 2) [advanced]", "gamma", {"settable": True}),
        ("    --swdeskew[=(yes|no)] [inactive]", "swdeskew", {"settable": False}),
        ("    --scan[=(yes|no)] [no] [hardware]", "scan", {"settable": False, "by_hand": True}),
        (
            "    --read-only <int> [0] [read-only]",
            "read-only",
            {"settable": False, "readable": True},
        ),
        ("    --filename <string> [/tmp/a b.pnm]", "filename", {"kind": Kind.STRING}),
        ("    --clear", "clear", {"kind": Kind.BUTTON}),
    ],
)
def test_options_are_read_as_it_prints_them(line: str, name: str, expected: dict[str, Any]) -> None:
    option = parsed(["All options:", line, "        Some --words about it [1]."])[name].option
    assert {key: getattr(option, key) for key in expected} == expected


def test_programs_see_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANSTRASSE_LEDGER", "postgresql://x:y@z/")
    monkeypatch.setenv("SMTP_PASSWORD", "geheim")
    with Program("env", environment={"SANE_CONFIG_DIR": "/x"}) as program:
        lines, ended = program.to_end(30.0)
    assert ended.status == 0
    assert "SANE_CONFIG_DIR=/x" in lines
    assert not [line for line in lines if "SCANSTRASSE" in line or "geheim" in line]
