"""One page of any source as upright pixels with an honest resolution.

Whatever arrives (bitonal TIFF, CMYK JPEG, 16-bit PNG, a phone's HEIC, a PDF page) leaves here
as `Frame`: eight bits a channel, alpha flattened on white, turned as the file's orientation
tag demands. The size is checked before anything is decoded, so that a small file cannot
claim the memory of a large one. Animations (GIF, WebP) and HEIC collections count as their first
picture: nobody scans moving pictures, and the original stays beside the result anyway.

Resolution: a file's own figure is believed between 50 and 2400 dpi, unless it makes the page
longer than 60 inches, is one of the placeholders 72 and 96 and makes it longer than A3, or differs
between the axes by more than the coarsest fax does. What is not believed is guessed: the long side
is taken for that of A4, snapped to the nearest usual scanner resolution where that is within 6 %,
and limited to 70 … 600 dpi.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ingest.content.complaints import overheard
from ingest.content.frame import Frame, Mode, Pixels, check_size
from ingest.content.pdf_pages import pdf_frame
from ingest.document import SourceKind
from ingest.errors import Incomplete, ScanstrasseError, Unreadable

__all__ = ["PDF_DPI", "Frame", "Mode", "Pixels", "check_size", "measure", "open_frame"]

PDF_DPI: Final = 300
_A4_LONG: Final = 11.69
_A3_LONG: Final = 16.54
_LONGEST: Final = 60.0
_PLACEHOLDERS: Final = (72, 96)
#: Of the two axes; the coarsest fax has 204 x 98 dpi. More is a figure given for one axis alone.
_UNEVEN: Final = 2.2
_BELIEVED: Final = (50.0, 2400.0)
_GUESSED: Final = (70.0, 600.0)
_SNAP: Final = 0.06
_USUAL: Final = (75, 100, 150, 200, 240, 300, 400, 600)
_SUBFILE_TYPE: Final = 254
_REDUCED: Final = 1
_STRIPE: Final = 1024
_SMALL: Final = 10_000_000  #: pixels: A4 at 300 dpi
_ORIENTATION: Final = 274
_LYING: Final = (5, 6, 7, 8)
_FORMATS: Final = {
    SourceKind.TIFF: "TIFF",
    SourceKind.JPEG: "JPEG",
    SourceKind.PNG: "PNG",
    SourceKind.GIF: "GIF",
    SourceKind.WEBP: "WEBP",
    SourceKind.BMP: "BMP",
    SourceKind.HEIC: "HEIF",
}

#: The limit is the house's (`workers.max_pixels`) and `check_size` keeps it, from the header alone;
#: Pillow's own would refuse large plans that the house allows, and name another figure.
Image.MAX_IMAGE_PIXELS = None


def open_frame(
    path: Path,
    kind: SourceKind,
    index: int,
    *,
    max_pixels: int,
    dpi: int = PDF_DPI,
    grey: bool = False,
) -> Frame:
    """Decode the page at 0-based `index`.

    Args:
        path: The source's bytes.
        kind: What they are; only that decoder is tried.
        index: Frame or page. Reduced-resolution copies inside a TIFF are not counted.
        max_pixels: More than this is a bomb, not a page.
        dpi: Wished resolution of PDF pages; less where the page's own image carries less, or
            where the page would exceed `max_pixels`. Images are never resampled.
        grey: Luminance is enough: where the decoder can leave colours out, which takes half the
            time, it does; elsewhere they come all the same.

    Raises:
        DecompressionBomb: Decoding would need more than `max_pixels`; nothing was decoded.
        Incomplete: The picture's data end early.
        PasswordNeeded: The PDF opens only with a password.
        Unreadable: There is no such page, or it does not decode.
    """
    if kind is SourceKind.PDF:
        return pdf_frame(path, index, max_pixels=max_pixels, dpi=dpi)
    if kind not in _FORMATS:
        message = f"{kind} has no raster"
        raise Unreadable(message, operator_text="Die Datei ist kein Bild und kein PDF.")
    with _pillow(index), _opened(path, kind) as image:
        _turn_to(image, index)
        check_size(image.width, image.height, index, max_pixels)
        if grey and image.format == "JPEG":
            image.draft("L", image.size)
        return _converted(image, index)


def measure(path: Path, kind: SourceKind) -> tuple[int, int, tuple[float, float] | None, bool]:
    """Return width, height, dpi and whether there are several pictures, from the header alone.

    Raises:
        Unreadable: The header does not parse.
        Incomplete: The file ends in its header.
    """
    with _pillow(0), _opened(path, kind) as image:
        several = image.format != "JPEG" and bool(getattr(image, "is_animated", False))
        return image.width, image.height, _given_dpi(image), several


@contextmanager
def _pillow(index: int) -> Iterator[None]:
    """Turn whatever Pillow and its codecs raise on hostile files into errors of the project."""
    try:
        with warnings.catch_warnings():
            # Broken tags are warned about one by one; the size is checked by `check_size`.
            warnings.simplefilter("ignore")
            yield
    except ScanstrasseError:
        raise
    except Exception as error:  # codecs raise anything on hostile files: TypeError, KeyError …
        raise _undecodable(index, error) from error


def _undecodable(index: int, error: Exception) -> Unreadable | Incomplete:
    message = f"page {index + 1} does not decode: {type(error).__name__}: {error}"
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        text = f"Seite {index + 1}: Die Bilddaten enden vorzeitig. Bitte erneut scannen."
        return Incomplete(message, operator_text=text)
    if isinstance(error, MemoryError):
        text = f"Seite {index + 1}: Das Bild braucht mehr Arbeitsspeicher, als erlaubt ist."
        return Unreadable(message, operator_text=text)
    text = f"Seite {index + 1}: Das Bild ist beschädigt und nicht lesbar. Bitte erneut scannen."
    return Unreadable(message, operator_text=text)


def _opened(path: Path, kind: SourceKind) -> Image.Image:
    if kind is SourceKind.HEIC:
        import pi_heif

        pi_heif.register_heif_opener()
    return Image.open(path, formats=[_FORMATS[kind]])


def _turn_to(image: Image.Image, index: int) -> None:
    """Go to the page at `index`, passing over reduced-resolution copies."""
    if image.format != "TIFF":
        if index:
            message = f"only the first picture counts, {index + 1} was asked for"
            raise Unreadable(message, operator_text=f"Es gibt keine Seite {index + 1}.")
        return
    position = pages = 0
    while True:
        try:
            image.seek(position)
        except EOFError as error:
            message = f"no frame {index + 1}, the chain ends after {pages}"
            text = f"Die Datei hat keine Seite {index + 1}, sie endet nach Seite {pages}."
            raise Unreadable(message, operator_text=text) from error
        if not _is_reduced(image):
            if pages == index:
                return
            pages += 1
        position += 1


def _is_reduced(image: Image.Image) -> bool:
    tags: Any = getattr(image, "tag_v2", {})
    subfile = tags.get(_SUBFILE_TYPE, 0)
    return isinstance(subfile, int) and bool(subfile & _REDUCED)


def _converted(image: Image.Image, index: int) -> Frame:
    given = _given_dpi(image)
    if given is not None and image.getexif().get(_ORIENTATION, 1) in _LYING:
        given = given[1], given[0]
    damage = _loaded(image)
    ImageOps.exif_transpose(image, in_place=True)  # without a tag to obey, the other way copies
    dpi, source = _resolution(image.size, given)
    pixels, mode = _plain(image)
    if damage is not None and pixels.min() == pixels.max():
        text = f"Seite {index + 1}: Das Bild ist beschädigt, nichts davon ist lesbar."
        raise Unreadable(f"page {index + 1}: {damage}", operator_text=text)
    return Frame(pixels=pixels, mode=mode, dpi=dpi, dpi_source=source, damage=damage)


def _loaded(image: Image.Image) -> str | None:
    """Decode; return what libtiff complained about and went on."""
    if image.format != "TIFF":
        image.load()
        return None
    with overheard() as complaints:
        image.load()
    return complaints[0][:200] if complaints else None


def _plain(image: Image.Image) -> tuple[Pixels, Mode]:
    """Return eight bits a channel on white."""
    if image.mode == "1":
        return _pixels(image), "1"
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled(np.asarray(image)), "L"
    if image.has_transparency_data:
        return _flattened(image.convert("RGBA"), grey=image.mode == "LA")
    if image.mode == "P":
        grey = image.palette is not None and _is_grey(image)
        image = image.convert("L" if grey else "RGB")
    if image.mode not in {"L", "RGB"}:
        image = image.convert("RGB")
    return _pixels(image), "L" if image.mode == "L" else "RGB"


def _pixels(image: Image.Image) -> Pixels:
    """Copy a large plan in stripes: at once, Pillow would hold it three times."""
    if image.mode != "1" and image.width * image.height <= _SMALL:
        return np.asarray(image)
    shape = (image.height, image.width, 3)[: 3 if image.mode == "RGB" else 2]
    pixels = np.empty(shape, np.uint8)
    for top in range(0, image.height, _STRIPE):
        stripe = image.crop((0, top, image.width, min(top + _STRIPE, image.height)))
        pixels[top : top + _STRIPE] = np.asarray(stripe)
    if image.mode == "1":
        pixels *= 255
    return pixels


def _is_grey(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _flattened(image: Image.Image, *, grey: bool) -> tuple[Pixels, Mode]:
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image)
    if grey:
        return _pixels(ground.convert("L")), "L"
    return _pixels(ground.convert("RGB")), "RGB"


def _scaled(values: NDArray[Any]) -> Pixels:
    """Bring 16 and 32 bits to eight; the full range of the type in use becomes 0 … 255."""
    largest = float(values.max(initial=0))
    if values.dtype.kind == "f":
        full = max(1.0, largest)
    elif values.dtype == np.uint16:
        full = float(0xFFFF)
    else:
        full = next((float(top) for top in (0xFF, 0xFFFF) if largest <= top), largest)
    scaled: NDArray[np.float32] = values.astype(np.float32) * np.float32(255.0 / full)
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _given_dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = image.info["dpi"]
        return float(x), float(y)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


def _resolution(
    size: tuple[int, int], given: tuple[float, float] | None
) -> tuple[tuple[float, float], Literal["file", "default"]]:
    if given is not None and _is_believable(size, given):
        return (round(given[0], 2), round(given[1], 2)), "file"
    guess = max(size) / _A4_LONG
    nearest = min(_USUAL, key=lambda usual: abs(usual - guess))
    dpi = float(nearest) if abs(nearest / guess - 1) <= _SNAP else guess
    dpi = round(min(max(dpi, _GUESSED[0]), _GUESSED[1]), 2)
    return (dpi, dpi), "default"


def _is_believable(size: tuple[int, int], dpi: tuple[float, float]) -> bool:
    if not all(_BELIEVED[0] <= value <= _BELIEVED[1] for value in dpi):  # also refuses NaN
        return False
    if max(dpi) > _UNEVEN * min(dpi):
        return False
    longest = max(size[0] / dpi[0], size[1] / dpi[1])
    placeholder = all(round(value) in _PLACEHOLDERS for value in dpi)
    return longest <= (_A3_LONG * 1.02 if placeholder else _LONGEST)
