"""A printed separator sheet is read again as what was said on the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ingest.content.raster import open_frame
from ingest.document import SourceKind
from tests.plugins.commanding import commanded
from workers.separation.examination import examine


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return commanded(arguments)


def test_a_sheet_carries_what_was_said(tmp_path: Path) -> None:
    sheet = tmp_path / "trennblatt.pdf"
    said = ["--department", "kasse", "--operator", "op17", "--received-at", "2026-11-20"]
    done = _run("--data", str(tmp_path / "data"), "sheets", "-o", str(sheet), *said)
    assert done.returncode == 0, done.stderr
    frame = open_frame(sheet, SourceKind.PDF, 0, max_pixels=50_000_000)
    payload = examine(frame, asn=False)["separator"]["payload"]
    assert {key: payload[key] for key in ("DEP", "OP", "REC")} == {
        "DEP": "kasse",
        "OP": "op17",
        "REC": "2026-11-20",
    }


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    sheet = tmp_path / "trennblatt.pdf"
    sheet.write_bytes(b"something else")
    done = _run("--data", str(tmp_path / "data"), "sheets", "-o", str(sheet))
    assert done.returncode == 2
    assert sheet.read_bytes() == b"something else"


def test_a_wrong_date_is_refused_with_the_remedy(tmp_path: Path) -> None:
    arguments = ["sheets", "-o", str(tmp_path / "t.pdf"), "--received-at", "20.11.2026"]
    done = _run("--data", str(tmp_path / "data"), *arguments)
    assert done.returncode == 2
    assert "JJJJ-MM-TT" in done.stderr


def test_cover_sheets_are_numbered_and_understood_by_the_profile(tmp_path: Path) -> None:
    house = tmp_path / "profile"
    house.mkdir()
    (house / "haus.toml").write_text(
        'name = "haus"\nversion = "1"\ntitle = "Haus"\ntreatment = "copying"\n'
        "[separation]\nclasses = ['archiv']\n"
    )
    config = tmp_path / "scanstrasse.toml"
    config.write_text(f'profiles = "{house}"\n')
    sheet = tmp_path / "deckblatt.pdf"
    said = ["--class", "archiv", "--expected-sheets", "4", "--case-reference", "BA-2026-000123"]
    said += ["--cover", "--copies", "3", "--number-from", "8", "--profile", "haus"]
    done = _run(
        "--config", str(config), "--data", str(tmp_path / "d"), "sheets", "-o", str(sheet), *said
    )
    assert done.returncode == 0, done.stderr
    payloads = [
        examine(open_frame(sheet, SourceKind.PDF, page, max_pixels=50_000_000))["separator"][
            "payload"
        ]
        for page in range(3)
    ]
    same = {"SEP": "DOC", "CLASS": "archiv", "CASE": "BA-2026-000123", "SHEETS": "4"}
    assert payloads == [{**same, "NO": str(number)} for number in (8, 9, 10)]


def test_a_sheet_that_its_profile_would_not_obey_is_not_printed(tmp_path: Path) -> None:
    sheet = tmp_path / "blatt.pdf"
    for said, named in (
        (["--class", "archiv"], "lässt dieses Profil nicht zu"),
        (["--expected-sheets", "vier"], "keine ganze Zahl"),
        (["--profile", "elektronisch"], "trennt nicht an Trennblättern"),
        (["--case-reference", "x" * 60, "--symbology", "code128"], "--symbology qr"),
    ):
        done = _run("--data", str(tmp_path / "data"), "sheets", "-o", str(sheet), *said)
        assert done.returncode == 2, done.stderr
        assert named in done.stderr
        assert not sheet.exists()
    done = _run("--data", str(tmp_path / "data"), "sheets", "-o", str(sheet), "--profile", "fehlt")
    assert done.returncode != 0
    assert "Profil 'fehlt' gibt es nicht" in done.stderr
