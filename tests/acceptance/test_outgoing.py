"""`seal-outgoing`: a letter leaves once, whatever happens, and everything about it can be shown."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.cli.app import App
from ingest.cli.verifying import verify_unit
from tests.acceptance.conftest import Install
from tests.plugins.installation import ROOT, Installation, wait_until
from tests.plugins.letters import image_pdf
from tests.plugins.tokens import Card, make_card
from tests.plugins.trust import Trust, trusting
from workers.evidence.preservation import Preservation


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    with trusting(tmp_path_factory.mktemp("trust")) as running:
        yield running


@pytest.fixture(scope="module")
def card(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder = tmp_path_factory.mktemp("card") / "seal"
    return make_card(folder, trust.keys["seal"], issued=trust.issued("seal"))


@pytest.fixture
def house(install: Install, trust: Trust, card: Card, tmp_path: Path) -> Installation:
    """An installation that may seal what leaves it."""
    installation = install()
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    shipped = (ROOT / "profiles" / "bescheid.toml").read_text("utf-8")
    own = shipped.replace("released = false", "released = true")
    (profiles / "bescheid.toml").write_text(own, "utf-8")
    token = {**card.settings}
    environment = token.pop("environment")
    lines = [f"{name} = {json.dumps(value)}" for name, value in token.items()]
    lines += [f"environment.{name} = {json.dumps(value)}" for name, value in environment.items()]
    before = installation.config.read_text("utf-8")
    sealing = [f'tsa_urls = ["{trust.tsa}"]', f'tsa_roots = "{trust.pem("tsa-root")}"']
    installation.config.write_text(
        "\n".join(
            [f'profiles = "{profiles}"', before, "[sealing]", *sealing, "[sealing.token]", *lines]
        ),
        "utf-8",
    )
    for what in (
        ("add", "ADM"),
        ("give", "ADM", "administrator"),
        ("add", "AB12"),
        ("give", "AB12", "seal_officer"),
    ):
        done = installation.call("people", *what, "--by", "ADM")
        assert done.returncode == 0, done.stderr
    return installation


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "bescheid.pdf"
    path.write_bytes(image_pdf())
    return path


def order(letter: Path, *more: str) -> list[str]:
    return ["seal-outgoing", str(letter), "--class", "bescheid", "--released-by", "AB12", *more]


def told(house: Installation, *words: str) -> list[dict[str, Any]]:
    lines = house.command(*words, "--json").stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_a_letter_leaves_once_and_all_of_it_can_be_shown(
    house: Installation, letter: Path, tmp_path: Path
) -> None:
    target, again = tmp_path / "gesiegelt.pdf", tmp_path / "noch-einmal.pdf"
    batch, document, outgoing = told(house, *order(letter, "--visible", "-o", str(target)))
    assert (batch["channel"], batch["operator"]) == ("outgoing", "AB12")
    assert (document["stage"], document["standing"]) == ("delivered", "done")
    assert document["outputs"]["pdf"]["sha256"] == outgoing["sha256"]
    sealed = target.read_bytes()
    assert sealed.startswith(letter.read_bytes())
    assert [file for file in tmp_path.iterdir() if file.name.startswith(".")] == []
    repeated = told(house, *order(letter, "--visible", "-o", str(again)))
    assert repeated[-1] == {**outgoing, "path": str(again)}
    assert again.read_bytes() == sealed
    assert [row["id"] for row in house.rows()] == [batch["id"], document["id"]]
    with App(house.data, house.config) as app:
        with Preservation(app.settings, app.ledger) as preservation:
            assert preservation.once().documents == 1
        checks = {check["name"]: check for check in verify_unit(app, document["id"], None)}
    assert {name for name, check in checks.items() if check["required"]} >= {"seal", "evidence"}
    lacking = [name for name, check in checks.items() if not check["passed"]]
    assert [name for name in lacking if checks[name]["required"]] == []
    assert set(lacking) <= {"Eingangsnachweis"}, "its timestamp comes in a run of its own"


def test_an_order_killed_twice_loses_no_letter_and_makes_one_seal(
    house: Installation, letter: Path, tmp_path: Path
) -> None:
    target = tmp_path / "gesiegelt.pdf"
    for point in ("perform:sealing:during", "record:sealing:after"):
        doomed = house.start(*order(letter, "-o", str(target)), doomed=("kill", point, "1"))
        wait_until(lambda running=doomed: not running.is_alive, f"the crash at {point}")  # type: ignore[misc] # the default binds it
        assert doomed.process.returncode == -signal.SIGKILL, doomed.errors.read_text("utf-8")
        assert not target.exists()
    finished = house.command(*order(letter, "-o", str(target)))
    assert finished.returncode == 0, finished.stderr
    assert [row["message_type"] for row in house.rows()] == ["batch", "document"]
    assert target.read_bytes().startswith(letter.read_bytes())


def test_what_cannot_leave_is_refused_before_anything_is_taken_in(
    house: Installation, letter: Path
) -> None:
    letter.write_bytes(b"Sehr geehrte Damen und Herren")
    refused = house.command(*order(letter))
    assert refused.returncode == 3
    assert "kein PDF" in refused.stderr
    assert house.rows() == []
