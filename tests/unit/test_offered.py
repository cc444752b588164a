"""A secret that was refused is offered by nobody again, whichever process was refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.signing_service import write_secret
from workers.sealing.offered import Offered


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    return folder / "pin"


def test_what_another_process_was_refused_since_is_known_here(secret: Path, tmp_path: Path) -> None:
    first, second = (Offered(secret, "pin_file", tmp_path / "mark") for _ in range(2))
    write_secret(secret, "eins")
    first.refuse(first.read())
    write_secret(secret, "zwei")
    second.refuse(second.read())
    assert first.was_refused(first.read())
    write_secret(secret, "drei")
    assert not first.was_refused(first.read())
    assert not second.was_refused(second.read())
