"""The text layer on pages that come out of a foreign PDF.

The text stands before the page's own content, so that it does not depend on the state in which
that ends. A page that is shown turned is set upright for good: its content becomes a form that is
drawn turned, because text along a turned page is read badly by pdfium and other extractors.
"""

from __future__ import annotations

from typing import Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf

from workers.recognition.pagefile import Matrix
from workers.recognition.sheets import Desk, Sheet
from workers.recognition.textlayer import FONT_NAME, TextLayer

_CIRCLE: Final = 360
_SIDEWAYS: Final = frozenset({90, 270})
_BOXES: Final = (Name.CropBox, Name.BleedBox, Name.TrimBox, Name.ArtBox, Name.Rotate)
_FONT: Final = Name(f"/{FONT_NAME}")


def lay_text(desk: Desk, pdf: Pdf) -> None:
    """Write the recognised words of all pages that brought no text along into `pdf`.

    Args:
        desk: The document's pages, as many as `pdf` has.
        pdf: Changed in memory.
    """
    layer = TextLayer()
    font = pdf.make_indirect(Dictionary())
    written = False
    for sheet, page in zip(desk.sheets, pdf.pages, strict=True):
        if sheet.is_pdf and not sheet.native_text:
            written |= _page(desk, sheet, pdf, page, layer, font)
    if written:
        made = layer.font(pdf)
        for key in made.keys():  # noqa: SIM118 - no iteration over a dictionary object
            font[key] = made[key]


def _page(
    desk: Desk, sheet: Sheet, pdf: Pdf, page: pikepdf.Page, layer: TextLayer, font: Object
) -> bool:
    if sheet.orientation:
        page.rotate(sheet.orientation, relative=True)
    words = desk.words(sheet)
    if words is None or not words.lines:
        return False
    width, height, to_page, to_shown = _places(page)
    content = layer.content(words, width, height)
    turned = int(page.obj.get(Name.Rotate, 0)) % _CIRCLE != 0
    if turned and Name.Annots not in page.obj:
        _set_upright(pdf, page, (width, height), to_shown, content, font)
        return True
    page.contents_add(pdf.make_stream(b"q " + to_page + b" cm\n" + content + b"Q\n"), prepend=True)
    page.add_resource(font, Name.Font, name=_FONT, replace_existing=True)
    return True


def _set_upright(
    pdf: Pdf,
    page: pikepdf.Page,
    size: tuple[float, float],
    to_shown: bytes,
    content: bytes,
    font: Object,
) -> None:
    page.contents_coalesce()
    contents = page.obj.get(Name.Contents)
    form = pdf.make_stream(
        b"" if contents is None else contents.read_bytes(),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array(list(page.cropbox)),
        Resources=page.resources,
    )
    if Name.Group in page.obj:
        form[Name.Group] = page.obj.Group
    for key in _BOXES:
        if key in page.obj:
            del page.obj[key]
    page.obj[Name.MediaBox] = Array([0, 0, *size])
    page.obj[Name.Resources] = Dictionary(
        XObject=Dictionary(Page=form), Font=Dictionary({str(_FONT): font})
    )
    drawn = b"q " + to_shown + b" cm /Page Do Q\n"
    page.obj[Name.Contents] = pdf.make_stream(content + drawn)


def _places(page: pikepdf.Page) -> tuple[float, float, bytes, bytes]:
    """Return the size as shown, and the maps from there to the page's own space and back."""
    left, bottom, right, top = (float(side) for side in page.cropbox)
    left, right = sorted((left, right))
    bottom, top = sorted((bottom, top))
    turn = int(page.obj.get(Name.Rotate, 0)) % _CIRCLE
    to_page: Matrix
    to_shown: Matrix
    to_page, to_shown = {
        0: ((1, 0, 0, 1, left, bottom), (1, 0, 0, 1, -left, -bottom)),
        90: ((0, 1, -1, 0, right, bottom), (0, -1, 1, 0, -bottom, right)),
        180: ((-1, 0, 0, -1, right, top), (-1, 0, 0, -1, right, top)),
        270: ((0, -1, 1, 0, left, top), (0, 1, -1, 0, top, -left)),
    }[turn]
    width, height = right - left, top - bottom
    if turn in _SIDEWAYS:
        width, height = height, width
    return width, height, _operands(to_page), _operands(to_shown)


def _operands(matrix: Matrix) -> bytes:
    return " ".join(f"{value:.4f}" for value in matrix).encode("ascii")
