"""Scanned pages as PDF/A: the images as they came, the text invisibly over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pikepdf
from pikepdf import Name, Pdf, pdfa

from ingest.errors import CheckFailed, Incomplete, Unreadable
from workers.recognition import archive
from workers.recognition.images import page_image
from workers.recognition.pagefile import PageFile
from workers.recognition.sheets import Desk, Sheet
from workers.recognition.textlayer import FONT_NAME, TextLayer


def compose(desk: Desk, target: Path, draft: Path, title: str) -> None:
    """Write the document whose pages are all images.

    Args:
        desk: Its pages.
        target: Where the PDF/A goes.
        draft: Scratch file beside it.
        title: What viewers show.

    Raises:
        CheckFailed: A page does not decode, or the result is not valid PDF/A; nothing stands at
            `target`.
    """
    layer = draw(desk, desk.sheets, draft)
    with pikepdf.open(draft) as pdf:
        finish_text(pdf, layer)
        archive.declare(pdf, title)
        try:
            archive.save(pdf, target)
        except pdfa.PdfaError as error:
            text = (
                "Das Ergebnis ist kein gültiges PDF/A-3b"
                f" ({archive.reasons(error)}). Bitte den Stapel mit anderen Einstellungen erneut"
                " scannen und den Betreiber unterrichten."
            )
            raise CheckFailed(archive.reasons(error), operator_text=text) from error


def draw(desk: Desk, sheets: Sequence[Sheet], draft: Path) -> TextLayer:
    """Write `sheets` that are images into a plain PDF, one at a time.

    Returns:
        The text layer whose font the draft still lacks, see `finish_text`.

    Raises:
        CheckFailed: A page does not decode.
    """
    layer = TextLayer()
    with PageFile(draft) as pages:
        for sheet in sheets:
            add_page(desk, sheet, pages, layer)
    return layer


def finish_text(pdf: Pdf, layer: TextLayer) -> None:
    """Give the pages of a draft the font of their text layer."""
    if len(pdf.pages):
        fonts = pdf.pages[0].obj.Resources.Font
        fonts[Name(f"/{FONT_NAME}")] = layer.font(pdf)


def add_page(desk: Desk, sheet: Sheet, pages: PageFile, layer: TextLayer) -> None:
    """Append the page of an image source.

    Raises:
        CheckFailed: It does not decode.
    """
    undecodable = sheet.page.facts.get("examination", {}).get("undecodable")
    if undecodable:
        raise _unreadable(sheet, str(undecodable))
    try:
        strips, decoder = desk.strips(sheet), desk.decoder(sheet)
        image = page_image(sheet.path, sheet.source.kind, strips, decoder, desk.images)
        size, dpi = sheet.size, sheet.dpi
        if size is None or dpi is None:
            frame = desk.decoder(sheet)()
            size, dpi = (frame.width, frame.height), frame.dpi
    except (Unreadable, Incomplete) as error:
        raise _unreadable(sheet, error.operator_text) from error
    if image.lossy is not None:
        desk.repacked[sheet.page.number] = image.lossy
    words = desk.words(sheet)
    width, height = sheet.points(size, dpi)
    text = b"" if words is None else layer.content(words, width, height)
    pages.add(image, width=width, height=height, turn=sheet.orientation, text=text)


def _unreadable(sheet: Sheet, reason: str) -> CheckFailed:
    number, name = sheet.page.number, sheet.source.name
    text = f"Abbild {number} aus „{name}“ ist nicht lesbar ({reason}) Bitte die Seite neu scannen."
    return CheckFailed(f"page {number} does not decode: {reason}", operator_text=text)
