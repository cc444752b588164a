"""Is a page whole? A device that broke off sends a length that fits what it sent.

A JPEG cut short decodes to a picture with a grey foot, so the end marker and a full decoding
decide, not the length.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image, ImageFile

_END_OF_JPEG: Final = b"\xff\xd9"
_END_OF_PDF: Final = b"%%EOF"
_TAIL: Final = 1024
#: A3 in colour at 600 dpi has 70 million; nothing that a scanner takes is larger than this.
_MOST_PIXELS: Final = 150_000_000


def size_of(path: Path, media_type: str) -> tuple[int, int] | None:
    """Decode a page to its end and return width and height; None for PDF, which has none.

    Raises:
        ValueError: The page is cut off, or no such file.
    """
    if media_type == "application/pdf":
        if _END_OF_PDF not in _tail(path):
            message = "the PDF has no end"
            raise ValueError(message)
        return None
    if media_type == "image/jpeg" and _END_OF_JPEG not in _tail(path)[-64:]:
        message = "the JPEG has no end marker"
        raise ValueError(message)
    return _decoded(path)


def _decoded(path: Path) -> tuple[int, int]:
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # somebody else's setting would hide what is missing
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            if image.width * image.height > _MOST_PIXELS:
                message = f"{image.width} × {image.height} pixels are no scanned page"
                raise ValueError(message)
            image.load()
            return image.size
    except (OSError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        message = f"the page does not decode: {error}"
        raise ValueError(message) from error


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read()
