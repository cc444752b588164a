"""What composing needs to know of each page of a document, gathered without opening anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.content import tiff
from ingest.content.frame import Frame
from ingest.content.raster import PDF_DPI, open_frame
from ingest.context import StepContext
from ingest.document import Assignment, Facts, Page, Source, SourceKind
from profiles import Profile
from workers.recognition import words as kept
from workers.recognition.words import Words

_POINTS = 72.0
#: ISO 32000-1 allows sides of 3 to 14,400 points.
_SHORTEST, _LONGEST = 3.0, 14_400.0
_HALF = 180


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One page on its way into the document.

    Attributes:
        path: The bytes of its source.
        size: Width and height in pixels, upright by the file's own tag; None where not examined.
        dpi: Of that raster.
        orientation: Clockwise turn that recognition found.
        native_text: The page carries its own text layer.
    """

    page: Page
    source: Source
    path: Path
    size: tuple[int, int] | None
    dpi: tuple[float, float] | None
    orientation: int
    native_text: bool

    @property
    def is_pdf(self) -> bool:
        """Whether the page comes out of a PDF."""
        return self.source.kind is SourceKind.PDF

    def points(self, size: tuple[int, int], dpi: tuple[float, float]) -> tuple[float, float]:
        """Return width and height of the page as shown, in points."""
        width, height = (pixels * _POINTS / dots for pixels, dots in zip(size, dpi, strict=True))
        if self.orientation % _HALF:
            width, height = height, width
        scale = max(1.0, _SHORTEST / min(width, height))
        scale = min(scale, _LONGEST / max(width, height))
        return max(width * scale, _SHORTEST), max(height * scale, _SHORTEST)


class Desk:
    """The document's pages with their sources, and the reading of what belongs to them.

    Attributes:
        images: How the profile wants pages packed whose bytes cannot be passed on.
        repacked: By arrival page number, with what a page was packed anew and not without loss.
    """

    def __init__(self, assignment: Assignment, context: StepContext) -> None:
        """Lay out the pages of the document in order."""
        self._context = context
        self._frames: dict[str, list[tiff.Frame]] = {}
        self.images = Profile.model_validate(assignment.profile).image
        self.repacked: dict[int, str] = {}
        self.sheets = tuple(_sheet(page, assignment, context) for page in assignment.pages)

    def words(self, sheet: Sheet) -> Words | None:
        """Read the page's recognised words; one page at a time is in memory."""
        digest = sheet.page.words_sha256
        return None if digest is None else kept.from_json(self._context.read(digest))

    def strips(self, sheet: Sheet) -> tiff.Frame | None:
        """Return the frame of a TIFF with its strips; each file's chain is walked once.

        A damaged frame has none: every viewer would guess differently what its codes mean, so
        the copy shows what was decoded here.

        Raises:
            Unreadable: The chain of frames is broken.
        """
        damaged = sheet.page.facts.get("examination", {}).get("damaged")
        if sheet.source.kind is not SourceKind.TIFF or damaged:
            return None
        if sheet.source.sha256 not in self._frames:
            self._frames[sheet.source.sha256] = tiff.frames(sheet.path)
        frames = self._frames[sheet.source.sha256]
        return frames[sheet.page.index] if sheet.page.index < len(frames) else None

    def decoder(self, sheet: Sheet, dpi: int = PDF_DPI) -> Callable[[], Frame]:
        """Return what decodes the page when it has to be; `dpi` is that of a page of a PDF."""
        limit = self._context.settings.workers.max_pixels

        def decode() -> Frame:
            kind = sheet.source.kind
            return open_frame(sheet.path, kind, sheet.page.index, max_pixels=limit, dpi=dpi)

        return decode


def _sheet(page: Page, assignment: Assignment, context: StepContext) -> Sheet:
    source = assignment.batch.source(page.source)
    examined: Facts = page.facts.get("examination", {})
    recognised: Facts = page.facts.get("recognition", {})
    size = examined.get("width"), examined.get("height")
    dpi = examined.get("dpi")
    return Sheet(
        page=page,
        source=source,
        path=context.path(source.content_sha256),
        size=(int(size[0]), int(size[1])) if size[0] and size[1] else None,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi else None,
        orientation=int(recognised.get("orientation") or 0),
        native_text=bool(page.facts.get("inspection", {}).get("text")),
    )
