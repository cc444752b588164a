"""The text that a PDF's page brings along, read through pdfium."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from workers.recognition.words import Box, Line, Word, Words

#: Places are kept in tenths of a point, in the notation of recognised words.
_SCALE = 10
_DPI = 72.0 * _SCALE
_SURE = 100.0


def native_text(page: pdfium.PdfPage) -> str:
    """Return the page's plain text, lines ended by newlines."""
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
    finally:
        textpage.close()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def native_words(page: pdfium.PdfPage) -> Words:
    """Return the page's words with the places where they are shown."""
    width, height = (round(side * _SCALE) for side in page.get_size())
    textpage = page.get_textpage()
    try:
        lines = tuple(_lines(page, textpage, width, height))
    finally:
        textpage.close()
    return Words(width=width, height=height, dpi=(_DPI, _DPI), lines=lines)


def _lines(
    page: pdfium.PdfPage, textpage: pdfium.PdfTextPage, width: int, height: int
) -> Iterator[Line]:
    words: list[Word] = []
    text, boxes = "", list[Box]()
    for index in range(textpage.count_chars()):
        code = pdfium_c.FPDFText_GetUnicode(textpage, index)
        character = chr(code) if 0 < code <= sys.maxunicode else " "
        if not character.isspace():
            text += character
            boxes.append(_shown(page, textpage.get_charbox(index), width, height))
            continue
        if text:
            words.append(_word(text, boxes))
            text, boxes = "", []
        if character in "\r\n" and words:
            yield _line(words)
            words = []
    if text:
        words.append(_word(text, boxes))
    if words:
        yield _line(words)


def _shown(
    page: pdfium.PdfPage, box: tuple[float, float, float, float], width: int, height: int
) -> Box:
    left, bottom, right, top = box
    corners = [_device(page, x, y, width, height) for x, y in ((left, bottom), (right, top))]
    across, down = zip(*corners, strict=True)
    return min(across), min(down), max(across), max(down)


def _device(page: pdfium.PdfPage, x: float, y: float, width: int, height: int) -> tuple[int, int]:
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, across, down)
    return across.value, down.value


def _word(text: str, boxes: list[Box]) -> Word:
    return Word(text=text, box=_around(boxes), confidence=_SURE)


def _line(words: list[Word]) -> Line:
    return Line(box=_around([word.box for word in words]), words=tuple(words))


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
