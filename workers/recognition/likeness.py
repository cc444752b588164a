"""Do two versions of a PDF look alike? The same text, each letter at its place, nearly all ink.

Asked after fonts were replaced: equal widths promise it, a look at the pages proves it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from numpy.typing import NDArray

from ingest.content.pdf_pages import open_pdf

_SCALE: Final = 0.5
#: Pixels, 16 points: in squares of this size strokes of another cut melt, other content does not.
_SQUARE: Final = 8
_POINTS_APART: Final = 0.5
#: Share of a page's ink by which the squares may differ in sum; on real pages 0.04 was most.
_INK_APART: Final = 0.25
_LEAST_INK: Final = 0.0005
#: Documents with more pages are compared on every second, third … page.
_ALL_COMPARED: Final = 200
_WHITE: Final = 255.0


def difference(before: Path, after: Path) -> str | None:
    """Return where the two first differ visibly, English; None if they look alike."""
    with open_pdf(before) as one, open_pdf(after) as other:
        if len(one) != len(other):
            return f"{len(one)} pages became {len(other)}"
        for index in range(0, len(one), 1 + len(one) // _ALL_COMPARED):
            if reason := _of_pages(one, other, index):
                return f"page {index + 1}: {reason}"
    return None


def _of_pages(one: pdfium.PdfDocument, other: pdfium.PdfDocument, index: int) -> str | None:
    first, second = one[index], other[index]
    try:
        for given, made in zip(_letters(first), _letters(second), strict=True):
            if given[0] != made[0]:
                return "other text"
            if max(abs(given[1] - made[1]), abs(given[2] - made[2])) > _POINTS_APART:
                return "letters at other places"
        drawn, redrawn = _squares(first), _squares(second)
    except ValueError:
        return "more or fewer letters"
    finally:
        first.close()
        second.close()
    if drawn.shape != redrawn.shape:
        return "another size"
    ink = float((_WHITE - drawn).mean()) / _WHITE
    apart = float(np.abs(drawn - redrawn).mean()) / _WHITE
    if apart > max(_INK_APART * ink, _LEAST_INK):
        return f"{apart / max(ink, _LEAST_INK):.0%} of the ink lies elsewhere"
    return None


def _letters(page: pdfium.PdfPage) -> Iterator[tuple[int, float, float]]:
    """Yield each letter with the place where it begins, in points."""
    text = page.get_textpage()
    across, up = ctypes.c_double(), ctypes.c_double()
    try:
        for index in range(text.count_chars()):
            pdfium_c.FPDFText_GetCharOrigin(text, index, across, up)
            yield pdfium_c.FPDFText_GetUnicode(text, index), across.value, up.value
    finally:
        text.close()


def _squares(page: pdfium.PdfPage) -> NDArray[Any]:
    """Return how light each square of the page is, 0 to 255."""
    bitmap = page.render(scale=_SCALE, grayscale=True)
    try:
        pixels = np.array(bitmap.to_numpy(), dtype=np.float32).reshape(bitmap.height, -1)
    finally:
        bitmap.close()
    down, across = -pixels.shape[0] % _SQUARE, -pixels.shape[1] % _SQUARE
    padded = np.pad(pixels, ((0, down), (0, across)), constant_values=_WHITE)
    squares = padded.reshape(padded.shape[0] // _SQUARE, _SQUARE, -1, _SQUARE)
    means: NDArray[Any] = squares.mean(axis=(1, 3))
    return means
