"""Somebody who takes deliveries away as soon as they are complete, and knows each of them."""

from __future__ import annotations

from pathlib import Path


class Desk:
    """Takes what is marked ready out of an outbox; the same delivery twice is an error."""

    def __init__(self, outbox: Path, archive: Path) -> None:
        """Take from the departments of `outbox` into `archive`."""
        self._outbox = outbox
        self._archive = archive
        self._taken: set[Path] = set()

    def take(self) -> None:
        """Take every complete delivery away."""
        for ready in sorted(self._outbox.glob("[!.]*/*.ready")):
            group = sorted(ready.parent.glob(f"{ready.stem}.*"))
            assert ready.with_suffix(".json") in group, f"{ready} is ready without its sidecar"
            for path in group:
                place = path.relative_to(self._outbox)
                assert place not in self._taken, f"{place} was delivered twice"
                self._taken.add(place)
                target = self._archive / place
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)

    def give_back(self) -> None:
        """Put everything back where it was delivered."""
        for place in self._taken:
            (self._archive / place).rename(self._outbox / place)
