"""Is a page whole? A device that broke off sends a length that fits what it sent.

A JPEG cut short decodes to a picture with a grey foot, so the end marker and a full decoding
decide, not the length. What a decoder passes over inside a JPEG that has its end, such as a
stretch of zeros, is not seen here.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from PIL import Image, ImageFile

#: How files of each media type begin.
_BEGINNINGS: Final = MappingProxyType(
    {
        "image/jpeg": (b"\xff\xd8\xff",),
        "image/png": (b"\x89PNG\r\n\x1a\n",),
        "image/tiff": (b"II*\0", b"MM\0*"),
        "application/pdf": (b"%PDF-",),
    }
)
#: What a device may send as a page.
MEDIA_TYPES: Final = frozenset(_BEGINNINGS)
_END_OF_JPEG: Final = b"\xff\xd9"
_END_OF_PDF: Final = b"%%EOF"
_TAIL: Final = 1024
_JPEG_TAIL: Final = 64
#: A3 in colour at 600 dpi has 70 million; nothing that a scanner takes is larger than this.
_MOST_PIXELS: Final = 150_000_000


def size_of(path: Path, media_type: str) -> tuple[int, int]:
    """Decode a page to its end and return width and height, of a PDF those of its image.

    Raises:
        ValueError: The page is cut off, is more than one page, or no such file.
    """
    with path.open("rb") as file:
        beginning = file.read(16)
    if not beginning.startswith(_BEGINNINGS[media_type]):
        message = f"no {media_type}"
        raise ValueError(message)
    if media_type == "application/pdf":
        return _pdf(path)
    return _image(path.read_bytes(), media_type)


def _image(content: bytes, media_type: str | None) -> tuple[int, int]:
    if media_type == "image/jpeg" and _END_OF_JPEG not in content[-_JPEG_TAIL:]:
        message = "the JPEG has no end marker"
        raise ValueError(message)
    if ImageFile.LOAD_TRUNCATED_IMAGES:  # somebody else's setting would hide what is missing
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # see `_MOST_PIXELS`
            with Image.open(io.BytesIO(content)) as image:
                _require_a_page(image.width, image.height)
                if getattr(image, "n_frames", 1) > 1:
                    raise ValueError("several pages in one file")
                image.load()
                return image.size
    except (OSError, SyntaxError, TypeError, Image.DecompressionBombError) as error:
        message = f"the page does not decode: {error}"
        raise ValueError(message) from error


def _pdf(path: Path) -> tuple[int, int]:
    """See that a PDF is one page whose images decode to their ends; return the largest one's size.

    Fax images are decoded too, but one that breaks off is not told from one that is white below.

    Raises:
        ValueError: It is not.
    """
    import pypdfium2 as pdfium

    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        if _END_OF_PDF not in file.read():
            raise ValueError("the PDF has no end")
    try:
        with contextlib.closing(pdfium.PdfDocument(path)) as document:
            if len(document) != 1:
                message = f"{len(document)} pages in one file"
                raise ValueError(message)
            images = document[0].get_objects(filter=[pdfium.raw.FPDF_PAGEOBJ_IMAGE])
            sizes = [_drawn(image) for image in images]
    except pdfium.PdfiumError as error:
        message = f"the PDF does not decode: {error}"
        raise ValueError(message) from error
    if not sizes:
        raise ValueError("the PDF has no image")
    return max(sizes)


def _drawn(image: Any) -> tuple[int, int]:
    """Decode an image of a PDF and return its size."""
    width, height = image.get_px_size()
    _require_a_page(width, height)
    if image.get_filters() == ["DCTDecode"]:
        return _image(bytes(image.get_data()), "image/jpeg")
    if image.get_filters() == ["FlateDecode"]:
        bits = image.get_metadata().bits_per_pixel
        if len(image.get_data(decode_simple=True)) < (width * bits + 7) // 8 * height:
            raise ValueError("an image of the PDF breaks off")
        return width, height
    image.get_bitmap().close()
    return width, height


def _require_a_page(width: int, height: int) -> None:
    if width * height > _MOST_PIXELS:
        message = f"{width} × {height} pixels are no scanned page"
        raise ValueError(message)
