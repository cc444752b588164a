"""What several modules about the watch folder start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.watching import House, build


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A watch folder with two seconds of quiet time and a clock of its own."""
    built = build(tmp_path / "data")
    yield built
    built.ledger.close()
