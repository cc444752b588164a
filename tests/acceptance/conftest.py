"""Installations that end with their test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.installation import Installation

Install = Callable[..., Installation]


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    """Make installations in folders of their own; nothing of them outlives the test."""
    made: list[Installation] = []
    numbers = itertools.count(1)

    def make(**how: Any) -> Installation:
        made.append(Installation(tmp_path / f"house-{next(numbers)}", **how))
        return made[-1]

    yield make
    for installation in made:
        installation.end()


@pytest.fixture
def installation(install: Install) -> Installation:
    """One installation with its own folder, SQLite and nothing running."""
    return install()
