"""Pages of a PDF through pdfium: what is on them, and how they look.

A page is a scan where images cover most of it and no text is visible; text that an MFP's own
recognition laid invisibly over the image does not change that. pdfium and qpdf repair
different damage, so a file that pdfium refuses is offered again as qpdf repaired it, in
memory; the original is never touched. pdfium runs no JavaScript in this build.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from ingest.content.frame import Frame, Mode, Pixels, check_size
from ingest.errors import PasswordNeeded, Unreadable

PageKind = Literal["scan", "born_digital", "empty"]

_POINTS: Final = 72.0
#: Share of the page that images have to cover for the page to count as scanned.
_SCANNED: Final = 0.5
#: Share that one image has to cover for the page to be as sharp as that image.
_COVERING: Final = 0.8
#: A fax header or a stamped number is shorter than this; a letter is not.
_STAMP_CHARACTERS: Final = 60
_TEXT_CHARACTERS: Final = 8
_LOCKED: Final = (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY)
_FORM_DEPTH: Final = 4
#: A page with more objects is certainly not a scan; the rest is not counted.
_MOST_OBJECTS: Final = 20_000
_INVISIBLE: Final = (
    pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE,
    pdfium_c.FPDF_TEXTRENDERMODE_CLIP,
    pdfium_c.FPDF_TEXTRENDERMODE_UNKNOWN,
)


@dataclass(frozen=True, kw_only=True)
class PdfPage:
    """What one page carries.

    Attributes:
        width: Points, as the page is shown.
        height: Points, as the page is shown.
        text: Whether it has a text layer, visible or not.
        coverage: Share of the page that images cover, 0 … 1.
        dpi: Resolution of the image that covers the page, None where there is no such image.
        pixels: Of its largest image; 0 without one.
        kind: `empty` has neither text nor image nor drawing.
    """

    width: float
    height: float
    text: bool
    coverage: float
    dpi: tuple[float, float] | None
    pixels: int
    kind: PageKind


@dataclass
class _Survey:
    """Running totals over the objects of one page."""

    image_area: float = 0.0
    largest: int = 0
    covering: float = 0.0
    visible_text: bool = False
    drawings: bool = False


@contextmanager
def open_pdf(path: Path) -> Iterator[pdfium.PdfDocument]:
    """Open a PDF in pdfium, repaired in memory where pdfium alone cannot read it.

    Raises:
        PasswordNeeded: It opens only with a password.
        Unreadable: Neither pdfium nor qpdf finds a document in it.
    """
    document = _loaded(path)
    try:
        yield document
    finally:
        document.close()


def _loaded(path: Path) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) in _LOCKED:
            raise _locked("pdfium", error) from error
        refused = error
    repaired = io.BytesIO()
    try:
        with pikepdf.open(path, suppress_warnings=True) as document:
            document.save(repaired)
        return pdfium.PdfDocument(repaired.getvalue())
    except pikepdf.PasswordError as error:  # damaged as well, so pdfium did not get that far
        raise _locked("qpdf", error) from error
    except (pikepdf.PdfError, pdfium.PdfiumError, ValueError, RuntimeError) as error:
        text = "Das PDF ist beschädigt und lässt sich nicht öffnen."
        raise Unreadable(f"pdfium: {refused}; qpdf: {error}", operator_text=text) from error


def _locked(reader: str, error: Exception) -> PasswordNeeded:
    text = "Das PDF ist mit einem Kennwort geschützt. Bitte den Absender unterrichten."
    return PasswordNeeded(f"{reader}: {error}", operator_text=text)


def page_count(path: Path) -> int:
    """Return the number of pages pdfium finds, each of which it can open.

    Raises:
        PasswordNeeded: It opens only with a password.
        Unreadable: The file or one of its pages does not open.
    """
    with open_pdf(path) as document:
        for index in range(len(document)):
            with _page(document, index):
                pass
        return len(document)


def pdf_pages(path: Path) -> Iterator[PdfPage | None]:
    """Yield what each page carries, None for a page that pdfium cannot open.

    Raises:
        PasswordNeeded: The PDF opens only with a password.
        Unreadable: The file does not open at all.
    """
    with open_pdf(path) as document:
        for index in range(len(document)):
            try:
                with _page(document, index) as page:
                    yield _described(page)
            except Unreadable:
                yield None


@contextmanager
def _page(document: pdfium.PdfDocument, index: int) -> Iterator[pdfium.PdfPage]:
    if not 0 <= index < len(document):
        message = f"no page {index + 1} of {len(document)}"
        raise Unreadable(message, operator_text=f"Das PDF hat keine Seite {index + 1}.")
    try:
        page = document[index]
        try:
            yield page
        finally:
            page.close()
    except pdfium.PdfiumError as error:
        message = f"page {index + 1}: {error}"
        text = f"Seite {index + 1} des PDF ist beschädigt und nicht darstellbar."
        raise Unreadable(message, operator_text=text) from error


def _described(page: pdfium.PdfPage) -> PdfPage:
    width, height = page.get_size()
    survey = _surveyed(page)
    characters = _characters(page)
    coverage = min(1.0, survey.image_area / max(width * height, 1.0))
    stamped = characters < _STAMP_CHARACTERS and coverage >= _COVERING
    kind: PageKind = "born_digital"
    if coverage >= _SCANNED and (not survey.visible_text or stamped):
        kind = "scan"
    elif not survey.visible_text and not survey.drawings and survey.largest == 0:
        kind = "empty"
    dpi = round(survey.covering, 1)
    return PdfPage(
        width=round(width, 2),
        height=round(height, 2),
        text=characters >= _TEXT_CHARACTERS,
        coverage=round(coverage, 3),
        dpi=(dpi, dpi) if dpi else None,
        pixels=survey.largest,
        kind=kind,
    )


def _characters(page: pdfium.PdfPage) -> int:
    text = page.get_textpage()
    try:
        return int(text.count_chars())
    finally:
        text.close()


def _surveyed(page: pdfium.PdfPage) -> _Survey:
    survey = _Survey()
    area = page.get_width() * page.get_height()
    form_area = 0.0
    for count, item in enumerate(page.get_objects(max_depth=_FORM_DEPTH)):
        if item.type == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            across, down = item.get_px_size()
            survey.largest = max(survey.largest, across * down)
            # Bounds inside a form are the form's own; the form's place on the page counts.
            survey.image_area += form_area if item.level else _area(item)
            if item.level == 0:
                survey.covering = max(survey.covering, _covering_dpi(item, area))
        elif item.type == pdfium_c.FPDF_PAGEOBJ_FORM:
            form_area = _area(item) if item.level == 0 else form_area
        elif item.type == pdfium_c.FPDF_PAGEOBJ_TEXT:
            mode = pdfium_c.FPDFTextObj_GetTextRenderMode(item)
            survey.visible_text = survey.visible_text or mode not in _INVISIBLE
        else:
            survey.drawings = True
        if count >= _MOST_OBJECTS:
            survey.drawings = True
            break
    return survey


def _area(item: pdfium.PdfObject) -> float:
    left, bottom, right, top = item.get_bounds()
    return float(abs((right - left) * (top - bottom)))


def _covering_dpi(image: pdfium.PdfImage, area: float) -> float:
    if _area(image) < _COVERING * area:
        return 0.0
    across, down = image.get_px_size()
    a, b, c, d, _, _ = image.get_matrix().get()
    sides = max(math.hypot(a, b), 1e-6), max(math.hypot(c, d), 1e-6)
    return float(max(across / sides[0], down / sides[1])) * _POINTS


def pdf_frame(path: Path, index: int, *, max_pixels: int, dpi: int) -> Frame:
    """Render one page, see `ingest.content.raster.open_frame`.

    Raises:
        DecompressionBomb: An image on the page is larger than any page of paper.
        PasswordNeeded: The PDF opens only with a password.
        Unreadable: There is no such page, or it does not render.
    """
    with open_pdf(path) as document:
        if document.get_formtype() == pdfium_c.FORMTYPE_ACRO_FORM:
            document.init_forms()  # otherwise the values of form fields stay invisible
        with _page(document, index) as page:
            return _rendered(page, index, max_pixels=max_pixels, dpi=dpi)


def _rendered(page: pdfium.PdfPage, index: int, *, max_pixels: int, dpi: int) -> Frame:
    width, height = page.get_size()
    if width < 1 or height < 1:
        message = f"page {index + 1} measures {width} x {height} points"
        raise Unreadable(message, operator_text=f"Seite {index + 1} des PDF hat keine Fläche.")
    survey = _surveyed(page)
    check_size(survey.largest, 1, index, max_pixels)
    # Visible text is as sharp as one likes; without it the image sets the limit.
    carried = survey.covering if survey.covering and not survey.visible_text else float(dpi)
    most = math.sqrt(max_pixels / (width * height)) * _POINTS
    # A little less, because pdfium rounds both sides up.
    scale = min(float(dpi), carried, most * 0.999) / _POINTS
    bitmap = page.render(scale=scale, rev_byteorder=True)
    try:
        pixels, mode = _collapsed(np.array(bitmap.to_numpy()))
    finally:
        bitmap.close()
    found = pixels.shape[1] * _POINTS / width, pixels.shape[0] * _POINTS / height
    upright = round(found[0], 2), round(found[1], 2)
    return Frame(pixels=pixels, mode=mode, dpi=upright, dpi_source="file")


def _collapsed(pixels: Pixels) -> tuple[Pixels, Mode]:
    """Drop the colour channels of a page without colour: a third of the memory, same content."""
    colour = pixels[:, :, :3]
    first = colour[:, :, :1]
    if (colour[::7, ::7] == first[::7, ::7]).all() and (colour == first).all():
        return np.ascontiguousarray(first[:, :, 0]), "L"
    return np.ascontiguousarray(colour), "RGB"
