"""Pages looked at in the test's own process: a child for each session would cost too much here."""

from __future__ import annotations

from pathlib import Path

from scanners.escl.wholeness import size_of


class Directly:
    """Looks at pages without a child."""

    def size_of(self, path: Path, media_type: str) -> tuple[int, int]:
        return size_of(path, media_type)

    def close(self) -> None:
        """Nothing is left."""
