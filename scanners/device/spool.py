"""The spool: each page is on disk for good before the next one is asked for.

A page is written beside its name, synced, renamed and its folder synced. What was cut off by a
crash has the ending of an unfinished file and is cleared when the spool is opened again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from scanners.device.durable import FULL, put, sync_folder
from scanners.device.faults import SpoolFull
from scanners.device.pages import PageFacts, ScannedPage

_UNFINISHED: Final = ".part"
_ENDINGS: Final = {
    "image/tiff": ".tif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "application/pdf": ".pdf",
}


class Spool:
    """A folder with the pages of one stack."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, making it where it is missing and clearing what a crash left."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        for left in folder.glob(f"*{_UNFINISHED}"):
            left.unlink(missing_ok=True)

    def keep(
        self,
        chunks: Iterable[bytes],
        media_type: str,
        facts: PageFacts,
        size_of: Callable[[Path], tuple[int, int] | None] | None = None,
    ) -> ScannedPage:
        """Write a page and return it when it is durable.

        Args:
            chunks: Its bytes.
            media_type: Of the file.
            facts: What is known of it.
            size_of: Looks whether the written file is whole and tells width and height; what it
                raises ends the page.

        Raises:
            SpoolFull: There is no room; nothing of the page is left.
            OSError: The disk failed otherwise; nothing of the page is left.
        """
        name = f"{facts.number:06d}{_ENDINGS.get(media_type, '.bin')}"
        path = self.folder / name
        unfinished = path.with_name(name + _UNFINISHED)
        digest, size = hashlib.sha256(), 0
        try:
            with unfinished.open("wb") as target:
                for chunk in chunks:
                    target.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                target.flush()
                os.fsync(target.fileno())
            found = None if size_of is None else size_of(unfinished)
            put(unfinished, path)
        except OSError as error:
            self._clear(unfinished)
            if error.errno in FULL:
                message = f"no room for page {facts.number}: {error}"
                raise SpoolFull(message, pages_done=facts.number - 1) from error
            raise
        except BaseException:
            self._clear(unfinished)
            raise
        sync_folder(self.folder)
        if found is not None:
            facts = replace(facts, width=found[0], height=found[1])
        return ScannedPage(
            path=path, media_type=media_type, sha256=digest.hexdigest(), size=size, facts=facts
        )

    def _clear(self, unfinished: Path) -> None:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
