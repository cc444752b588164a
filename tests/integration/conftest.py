"""What several modules start from: a watch folder, a stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.document import Outcome
from tests.plugins.arriving import Arrive
from tests.plugins.stacks import Stack, Stacked
from tests.plugins.watching import House, build


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A watch folder with two seconds of quiet time and a clock of its own."""
    built = build(tmp_path / "data")
    yield built
    built.ledger.close()


@pytest.fixture
def stacked(tmp_path: Path) -> Stacked:
    """Return a maker of stacks: files given as bytes, in order."""

    def make(*contents: bytes, **options: object) -> Stack:
        paths = []
        for number, content in enumerate(contents, 1):
            path = tmp_path / f"stapel-{number}"
            path.write_bytes(content)
            paths.append(path)
        return Stack(folder=tmp_path, paths=paths, **options)  # type: ignore[arg-type] # one test sets what it needs

    return make


@pytest.fixture
def arrive(tmp_path: Path) -> Arrive:
    def inspect(content: bytes | Path, name: str = "eingang", **settings: object) -> Outcome:
        path = content if isinstance(content, Path) else tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        return Stack(folder=tmp_path, paths=[path], **settings).inspect()  # type: ignore[arg-type] # one test sets what it needs

    return inspect
