"""A letter is sealed with the organisation's key through the whole way, and can be verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.plugins import papers
from tests.plugins.installation import ROOT, Installation
from tests.plugins.tokens import Card, make_card


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return make_card(tmp_path / "card", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def sealing(installation: Installation, card: Card, tmp_path: Path) -> Installation:
    """An installation whose daily post is sealed with the key in the card."""
    house = tmp_path / "profile"
    house.mkdir()
    shipped = (ROOT / "profiles" / "posteingang.toml").read_text("utf-8")
    own = shipped.replace('key = "installation"', 'key = "organisation"')
    (house / "posteingang.toml").write_text(own, "utf-8")
    token = {**card.settings}
    environment = token.pop("environment")
    lines = [f"{name} = {json.dumps(value)}" for name, value in token.items()]
    lines += [f"environment.{name} = {json.dumps(value)}" for name, value in environment.items()]
    before = installation.config.read_text("utf-8")
    installation.config.write_text(
        f'profiles = "{house}"\n{before}\n[sealing.token]\n' + "\n".join(lines) + "\n", "utf-8"
    )
    return installation


def test_a_letter_leaves_with_the_seal_of_the_organisation(
    sealing: Installation, tmp_path: Path
) -> None:
    letter = tmp_path / "brief.tif"
    letter.write_bytes(papers.tiff("Sehr geehrte Damen und Herren"))
    finished = sealing.command("receive", str(letter), "--wait")
    assert finished.returncode == 0, finished.stderr
    (sidecar,) = sealing.outbox.glob("*/*.json")
    said = json.loads(sidecar.read_text("utf-8"))
    assert said["seal"]["kind"] == "Siegel"
    verified = sealing.command("verify", said["document"])
    assert verified.returncode == 0, verified.stdout
    assert "Siegel unversehrt" in verified.stdout


def test_a_start_with_a_wrong_pin_is_refused(sealing: Installation, card: Card) -> None:
    assert sealing.command("check").returncode == 0
    card.pin_file.write_text("falsch-0815", "utf-8")
    finished = sealing.command("check")
    assert finished.returncode == 9
    assert "PIN" in finished.stdout
    assert "falsch-0815" not in finished.stdout + finished.stderr


def test_a_profile_that_wants_a_seal_stops_a_start_without_token(sealing: Installation) -> None:
    text = sealing.config.read_text("utf-8")
    sealing.config.write_text(text[: text.index("[sealing.token]")], "utf-8")
    finished = sealing.command("check")
    assert finished.returncode == 9
    assert "[sealing.token]" in finished.stdout
