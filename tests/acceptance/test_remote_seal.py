"""A start with the key at a remote service: what is proven before, and what keeps nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.cli.app import App
from ingest.cli.proving import require_ready
from ingest.errors import Misconfigured
from tests.plugins.installation import ROOT, Installation
from tests.plugins.signing_service import (
    ACCESS,
    METHODS,
    SigningService,
    configured,
    serving,
)
from tests.plugins.tokens import certificate


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SigningService]:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate("Wurzel", root_key.public_key(), None, root_key)
    (tmp_path / "issuers.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    with serving(key, certificate("Siegel", key.public_key(), root.subject, root_key)) as running:
        yield running


@pytest.fixture
def sealing(installation: Installation, service: SigningService, tmp_path: Path) -> Installation:
    """An installation whose daily post is sealed at the service."""
    house = tmp_path / "profile"
    house.mkdir()
    shipped = (ROOT / "profiles" / "posteingang.toml").read_text("utf-8")
    own = shipped.replace('key = "installation"', 'key = "organisation"')
    (house / "posteingang.toml").write_text(own, "utf-8")
    given = configured(service, tmp_path / "secrets", tmp_path / "issuers.pem")
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    before = installation.config.read_text("utf-8")
    text = f'profiles = "{house}"\n{before}\n[sealing.csc]\n' + "\n".join(lines) + "\n"
    installation.config.write_text(text, "utf-8")
    return installation


def test_check_proves_the_key_without_a_signature(
    sealing: Installation, service: SigningService
) -> None:
    checked = sealing.call("check")
    assert checked.returncode == 0, checked.stdout
    assert service.methods() == [METHODS[0]]
    service.fault = f"{METHODS[0]} expired"
    checked = sealing.call("check")
    assert checked.returncode == 9
    assert "Zugangstoken" in checked.stdout
    assert ACCESS not in checked.stdout + checked.stderr


def test_a_service_that_is_away_keeps_nobody_from_starting(
    sealing: Installation, service: SigningService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.fault = f"{METHODS[0]} unavailable"
    ended = threading.Event()
    ended.set()  # whoever waited would end at once
    with App(sealing.data, sealing.config) as app:
        require_ready(app, ended)
    assert "keine brauchbare Antwort" in capsys.readouterr().err
    service.reset()
    service.said = {"key.status": "disabled"}
    with App(sealing.data, sealing.config) as app, pytest.raises(Misconfigured) as caught:
        require_ready(app, ended)
    assert "nicht freigegeben" in caught.value.operator_text
