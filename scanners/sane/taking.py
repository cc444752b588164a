"""Pages that a program wrote as files, measured and taken into the spool."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest import clock
from scanners.device import (
    PageFacts,
    PageTruncated,
    ScanFault,
    ScannedPage,
    ScanSettings,
    Spool,
    place_of,
)
from scanners.device.tiff import Shape, shape_of
from scanners.sane.abi import GREY, RGB, Frame
from scanners.sane.options import unlike

_PIECE: Final = 1 << 20


@dataclass
class Taking:
    """A stack of which a program writes the pages into `folder`.

    Attributes:
        next: Number of the page that comes next.
    """

    settings: ScanSettings
    spool: Spool
    folder: Path
    next: int
    _since: dt.datetime = field(default_factory=clock.now)

    def page(self, path: Path) -> ScannedPage:
        """Take the page that the program says is done, and remove its file.

        Raises:
            PageTruncated: It has fewer bytes than it says. The program went on meanwhile, so more
                sheets may have passed than pages are done.
            ScanFault: It is not as demanded, or cannot be kept.
        """
        number = self.next
        try:
            shape = shape_of(path)
        except (OSError, ValueError) as error:
            raise self._truncated(f"page {number}: {error}") from error
        self._see(shape)
        sheet, side = place_of(number, self.settings.feed)
        facts = PageFacts(
            number=number,
            sheet=sheet,
            side=side,
            width=shape.width,
            height=shape.height,
            dpi=self.settings.dpi,
            mode=str(self.settings.mode),
            depth=shape.depth,
            began_at=self._since,
            finished_at=clock.now(),
        )
        kept = self.spool.keep(_pieces(path), "image/tiff", facts)
        path.unlink()
        self.next, self._since = number + 1, clock.now()
        return kept

    def size_so_far(self) -> int:
        """Return how much of the next page is written, and of those that wait."""
        return sum(each.stat().st_size for each in self.folder.glob("*") if each.exists())

    def clear(self) -> None:
        """Remove what was not taken."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _see(self, shape: Shape) -> None:
        if not shape.is_whole:
            raise self._truncated(f"page {self.next}: {shape}")
        frame = Frame(
            format=RGB if shape.channels > 1 else GREY,
            bytes_per_line=0,
            pixels_per_line=shape.width,
            lines=shape.height,
            depth=shape.depth,
        )
        wrong = unlike(frame, self.settings)
        if wrong is not None:
            text = (
                f"Das Gerät hat eine Seite anders geliefert als verlangt ({wrong}). Sie wurde "
                f"verworfen; bitte ab Seite {self.next} mit einem anderen Profil neu scannen."
            )
            message = f"page {self.next} came as {shape}"
            raise ScanFault(message, pages_done=self.next - 1, operator_text=text)

    def _truncated(self, message: str) -> PageTruncated:
        text = (
            f"Seite {self.next} kam unvollständig an und wurde verworfen; das Gerät kann schon "
            f"weitere Blätter eingezogen haben. Bitte ab Seite {self.next} wieder einlegen und "
            "fortsetzen."
        )
        return PageTruncated(message, pages_done=self.next - 1, operator_text=text)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
