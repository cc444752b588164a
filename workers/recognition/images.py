"""Images as a PDF can carry them, untouched where the format allows.

JPEG files, JPEG and fax data of single-strip TIFFs and plain PNG data go into the PDF as the
scanner wrote them: no generation is lost and nothing is spent on packing. What a PDF cannot carry
is decoded and packed again, bitonal pages as fax G4, others without loss as PNG, or as JPEG where
the profile says so and with the quality it states; what was lossy before and cannot be passed on
(CMYK, JPEG of several strips, HEIC, WebP) becomes JPEG of quality 95 without colour subsampling.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageCms, JpegImagePlugin, TiffImagePlugin

from ingest.content import tiff
from ingest.content.frame import Frame
from ingest.document import SourceKind
from profiles.model import ImageRules
from workers.recognition.pagefile import PageImage

_GREY, _RGB = "/DeviceGray", "/DeviceRGB"
_QUALITY: Final = 95
_LOSSY: Final = frozenset({SourceKind.JPEG, SourceKind.HEIC, SourceKind.WEBP})
_COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _ORIENTATION, _TABLES = 259, 262, 266, 274, 347
_OPTIONS: Final = 293
_G4, _OLD_JPEG, _JPEG = 4, 6, 7
_EIGHT: Final = 8
#: TIFF 6.0: fill order and photometric interpretation.
_LOWEST_FIRST, _PLAIN_RGB = 2, 2
#: A JPEG that has but its start and its end.
_NO_TABLES: Final = 4
_PROFILE_HEADER: Final = 128
#: PNG colour types.
_TRUECOLOUR, _INDEXED = 2, 3
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_REVERSED: Final = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_PROFILE_SPACES: Final = {b"GRAY": 1, b"RGB ": 3}
_PROFILE_CLASSES: Final = (b"mntr", b"scnr", b"prtr", b"spac")


def page_image(
    path: Path,
    kind: SourceKind,
    strips: tiff.Frame | None,
    frame: Callable[[], Frame],
    rules: ImageRules,
) -> PageImage:
    """Return the picture as it goes into the PDF.

    Args:
        path: The source's bytes.
        kind: What they are.
        strips: Of a TIFF the frame wanted, else None.
        frame: Decodes the page; called only where its bytes cannot be passed on.
        rules: How grey and coloured pages are packed that were not lossy before.

    Raises:
        ScanstrasseError: Whatever `frame` raises.
    """
    image: PageImage | None = None
    lossy = kind in _LOSSY
    try:
        if kind is SourceKind.JPEG:
            image = _jpeg(path.read_bytes())
        elif kind is SourceKind.PNG:
            image = _png(path.read_bytes())
        elif strips is not None:
            lossy = _number(strips, _COMPRESSION) in {_OLD_JPEG, _JPEG}
            image = _strip(path, strips)
    except (OSError, ValueError, SyntaxError, struct.error, IndexError, KeyError):
        image = None  # the decoder below judges whether the page is readable
    if image is not None:
        return image
    settings = _own_settings(path, strips) if strips is not None and lossy else {}
    if not lossy and rules.repacked == "jpeg":
        lossy, settings = True, {"quality": rules.quality, "subsampling": 0}
    return packed(frame(), lossy=lossy, **settings)


def packed(frame: Frame, *, lossy: bool, **settings: Any) -> PageImage:
    """Pack decoded pixels: G4 for bitonal, JPEG where `lossy`, else PNG's compression.

    Args:
        frame: The upright page.
        lossy: Whether JPEG may be used.
        settings: Of the JPEG writer; by default quality 95 without colour subsampling.
    """
    if frame.mode == "1":
        return _fax(frame)
    image = Image.fromarray(frame.pixels)
    target = io.BytesIO()
    if lossy:
        settings = settings or {"quality": _QUALITY, "subsampling": 0}
        image.save(target, "JPEG", **settings)
        found = _jpeg(target.getvalue())
    else:
        image.save(target, "PNG", compress_level=6)
        found = _png(target.getvalue())
    if found is None:
        message = "a picture just packed is not understood"
        raise ValueError(message)
    if not lossy:
        return found
    quality = settings.get("quality", "the tables of the original")
    return replace(found, lossy=f"JPEG, quality {quality}")


def _own_settings(path: Path, frame: tiff.Frame) -> dict[str, Any]:
    """Return the quantisation of a JPEG in strips: packed by it again, it loses next to nothing."""
    tables = frame.tags.get(_TABLES)
    offset, length = next(frame.extents(), (0, 0))
    if tables is None or len(tables.value) <= _NO_TABLES or not length:
        return {}
    with path.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(length)
    try:
        with Image.open(io.BytesIO(tables.value[:-2] + data[2:]), formats=["JPEG"]) as strip:
            if not isinstance(strip, JpegImagePlugin.JpegImageFile) or strip.mode == "CMYK":
                return {}
            sampling = JpegImagePlugin.get_sampling(strip)
            return {"qtables": strip.quantization, "subsampling": max(sampling, 0)}
    except (OSError, ValueError, SyntaxError, struct.error):
        return {}


def _fax(frame: Frame) -> PageImage:
    image = Image.fromarray(frame.pixels).convert("1", dither=Image.Dither.NONE)
    target = io.BytesIO()
    rows = {TiffImagePlugin.ROWSPERSTRIP: image.height}
    image.save(target, "TIFF", compression="group4", tiffinfo=rows)
    target.seek(0)
    with Image.open(target) as written:
        tags: Any = written
        offsets, lengths = tags.tag_v2[273], tags.tag_v2[279]
        black_is_one = tags.tag_v2[_PHOTOMETRIC] != 0
    content = target.getvalue()
    data = content[offsets[0] : offsets[0] + lengths[0]]
    return _fax_image(image.width, image.height, data, black_is_one=black_is_one)


def _fax_image(width: int, height: int, data: bytes, *, black_is_one: bool) -> PageImage:
    flag = " /BlackIs1 true" if black_is_one else ""
    return PageImage(
        width=width,
        height=height,
        bits=1,
        colour=_GREY,
        components=1,
        filter="/CCITTFaxDecode",
        parameters=f"<< /K -1 /Columns {width} /Rows {height}{flag} >>",
        data=data,
    )


def _jpeg(content: bytes) -> PageImage | None:
    """Return a JPEG as it is; None where a PDF/A viewer could show it differently (CMYK)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if not isinstance(image, JpegImagePlugin.JpegImageFile):
                return None
            return _jpeg_image(image, content)


def _jpeg_image(image: JpegImagePlugin.JpegImageFile, content: bytes) -> PageImage | None:
    channels = {"L": 1, "RGB": 3}.get(image.mode)
    if channels is None or image.bits != _EIGHT:
        return None
    parameters = ""
    if channels == len("RGB"):
        unmarked = "adobe" not in image.info and "jfif" not in image.info
        names = bytes(layer[0] for layer in image.layer)
        if image.info.get("adobe_transform") == 0 or (unmarked and names == b"RGB"):
            parameters = "<< /ColorTransform 0 >>"
    return PageImage(
        width=image.width,
        height=image.height,
        bits=_EIGHT,
        colour=_GREY if channels == 1 else _RGB,
        components=channels,
        filter="/DCTDecode",
        parameters=parameters,
        data=content,
        icc=_profile(image.info.get("icc_profile"), channels),
        orientation=_tag(image.getexif().get(_ORIENTATION)),
    )


def _profile(icc: bytes | None, channels: int) -> bytes | None:
    """Return a profile that PDF/A takes; sRGB is meant where there is none that does."""
    if not icc or len(icc) < _PROFILE_HEADER or icc[36:40] != b"acsp":
        return None
    if icc[8] not in {2, 4} or icc[12:16] not in _PROFILE_CLASSES:
        return None
    if _PROFILE_SPACES.get(icc[16:20]) != channels:
        return None
    if int.from_bytes(icc[:4], "big") != len(icc):
        return None
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ImageCms.PyCMSError):
        return None
    return icc


def _tag(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and 1 <= orientation <= _EIGHT else 1


def _png(content: bytes) -> PageImage | None:
    """Return a PNG's data as they are; None for alpha, interlaced and 16-bit pictures."""
    if not content.startswith(_SIGNATURE):
        return None
    header, palette, icc, orientation = b"", b"", None, 1
    data: list[bytes] = []
    position = len(_SIGNATURE)
    while position + _EIGHT <= len(content):
        length, name = struct.unpack_from(">I4s", content, position)
        chunk = content[position + 8 : position + 8 + length]
        position += length + 12
        if name == b"IHDR":
            header = chunk
        elif name == b"PLTE":
            palette = chunk
        elif name in {b"tRNS", b"eXIf"}:
            return None
        elif name == b"iCCP":
            icc = zlib.decompress(chunk[chunk.index(b"\0") + 2 :])
        elif name == b"IDAT":
            data.append(chunk)
    return _png_image(header, palette, icc, orientation, b"".join(data))


def _png_image(
    header: bytes, palette: bytes, icc: bytes | None, orientation: int, data: bytes
) -> PageImage | None:
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if interlaced or bits > _EIGHT or kind not in {0, _TRUECOLOUR, _INDEXED} or not data:
        return None
    channels = 3 if kind == _TRUECOLOUR else 1
    colour = {0: _GREY, _TRUECOLOUR: _RGB}.get(kind)
    if colour is None:
        if not palette or len(palette) % 3:
            return None
        colour = f"[/Indexed {_RGB} {len(palette) // 3 - 1} <{palette.hex()}>]"
    return PageImage(
        width=width,
        height=height,
        bits=bits,
        colour=colour,
        components=channels,
        filter="/FlateDecode",
        parameters=(
            f"<< /Predictor 15 /Colors {channels} /BitsPerComponent {bits} /Columns {width} >>"
        ),
        data=data,
        icc=None if kind == _INDEXED else _profile(icc, channels),
        orientation=orientation,
    )


def _strip(path: Path, frame: tiff.Frame) -> PageImage | None:
    """Return the only strip of a TIFF frame, where a PDF understands its compression."""
    extents = list(frame.extents())
    if len(extents) != 1 or not extents[0][1]:
        return None
    compression = _number(frame, _COMPRESSION)
    if compression not in {_G4, _JPEG}:
        return None
    offset, length = extents[0]
    with path.open("rb") as stream:
        stream.seek(offset)
        data = stream.read(length)
    if len(data) < length:
        return None
    image = _g4(frame, data) if compression == _G4 else _jpeg_strip(frame, data)
    if image is None or (image.width, image.height) != (frame.width, frame.height):
        return None
    return PageImage(**{**vars(image), "orientation": _tag(_number(frame, _ORIENTATION))})


def _g4(frame: tiff.Frame, data: bytes) -> PageImage | None:
    white_is_zero = _number(frame, _PHOTOMETRIC) == 0
    if _number(frame, _FILL_ORDER) == _LOWEST_FIRST:
        data = data.translate(_REVERSED)
    if _number(frame, _OPTIONS) not in {None, 0}:
        return None
    return _fax_image(frame.width, frame.height, data, black_is_one=not white_is_zero)


def _jpeg_strip(frame: tiff.Frame, data: bytes) -> PageImage | None:
    """Join the strip with the tables that TIFF keeps apart; not a byte of the scan changes."""
    tables = frame.tags.get(_TABLES)
    joined = data
    if tables is not None and len(tables.value) > _NO_TABLES:
        joined = tables.value[:-2] + data[2:]
    photometric = _number(frame, _PHOTOMETRIC)
    image = _jpeg(joined)
    if image is None or photometric == 0:
        return None
    if photometric == _PLAIN_RGB:  # RGB without the usual transform, which nothing in the data says
        return PageImage(**{**vars(image), "parameters": "<< /ColorTransform 0 >>"})
    return image


def _number(frame: tiff.Frame, tag: int) -> int | None:
    found = frame.tags.get(tag)
    if found is None or not found.count:
        return None
    size = len(found.value) // found.count
    order = "little" if frame.order == "<" else "big"
    return int.from_bytes(found.value[:size], order)  # type: ignore[arg-type]  # one of two words
