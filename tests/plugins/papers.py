"""Small paper: pages that are recognised in a moment, and files as bad as post can be.

A page is a strip of 900 x 400 pixels at 300 dpi with one line of text on it. Nothing here
is read from the disk, so that every test makes exactly the bytes it speaks of.
"""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

import pikepdf
import zxingcpp
from PIL import Image, ImageDraw, ImageFont, TiffImagePlugin

from workers.separation import sheets

SIZE = (900, 400)
DPI = (300, 300)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", 46)
    except OSError:
        return ImageFont.load_default(46)


def page(text: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """Return a white page, mode "L", with one line of black text."""
    made = Image.new("L", size, 255)
    ImageDraw.Draw(made).text((50, size[1] // 2 - 40), text, fill=0, font=_font())
    return made


def separator(fields: dict[str, str] | None = None) -> Image.Image:
    """Return a small page with the QR code of the house's own separator sheet."""
    payload = sheets.build(fields or {"NO": "1"})
    code = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    squares = Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=8))
    made = Image.new("L", SIZE, 255)
    made.paste(squares, ((SIZE[0] - squares.width) // 2, (SIZE[1] - squares.height) // 2))
    return made


def png(text: str) -> bytes:
    """Return a one-page PNG."""
    return _encoded([page(text)], "PNG")


def jpeg(text: str) -> bytes:
    """Return a one-page JPEG."""
    return _encoded([page(text)], "JPEG", quality=85)


def tiff(*sides: Image.Image | str) -> bytes:
    """Return a TIFF, Group 4, of the sides; a text stands for a page with that line."""
    drawn = [page(side) if isinstance(side, str) else side for side in sides]
    first, *others = [side.convert("1", dither=Image.Dither.NONE) for side in drawn]
    return _encoded([first, *others], "TIFF", compression="group4")


def damaged_fax(text: str) -> bytes:
    """Return a Group 4 TIFF whose codes are wrong from a fifth of the way on; its form is whole."""
    content = bytearray(tiff(text))
    with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
        start, length = image.tag_v2[273][0], image.tag_v2[279][0]
    for position in range(start + length // 5, start + length // 5 + 8):
        content[position] ^= 0x5A
    return bytes(content)


def pdf(*texts: str, encryption: pikepdf.Encryption | None = None) -> bytes:
    """Return a PDF of images, one page a text."""
    stream = io.BytesIO()
    first, *others = [page(text) for text in texts]
    first.save(stream, "PDF", resolution=300, save_all=True, append_images=others)
    if encryption is None:
        return stream.getvalue()
    saved = io.BytesIO()
    with pikepdf.open(stream) as document:
        document.save(saved, encryption=encryption)
    return saved.getvalue()


def locked_pdf(text: str, password: str) -> bytes:
    """Return a PDF that opens only with `password`."""
    return pdf(text, encryption=pikepdf.Encryption(user=password, owner=password + "!"))


def restricted_pdf(text: str) -> bytes:
    """Return a PDF that opens for everybody but forbids printing, copying and changing."""
    nothing = pikepdf.Permissions(
        extract=False, modify_other=False, print_highres=False, print_lowres=False
    )
    return pdf(text, encryption=pikepdf.Encryption(user="", owner="owner", allow=nothing))


@cache
def bomb() -> bytes:
    """Return a PNG of less than 100 kB that unfolds to 20,000 x 20,000 pixels."""
    width = height = 20_000
    row = b"\0" + b"\xff" * (width // 8)
    packer = zlib.compressobj(9)
    rows = row * 200
    body = b"".join([*(packer.compress(rows) for _ in range(height // 200)), packer.flush()])
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", head), _chunk(b"IDAT", body), _chunk(b"IEND", b"")]
    )


def looped_tiff(text: str) -> bytes:
    """Return a TIFF of two frames whose last directory points back to the first."""
    content = bytearray(tiff(text, text + " 2"))
    order = "<" if content[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", content, 4)
    here = first
    while True:
        (entries,) = struct.unpack_from(f"{order}H", content, here)
        link = here + 2 + entries * 12
        (following,) = struct.unpack_from(f"{order}I", content, link)
        if following == 0:
            struct.pack_into(f"{order}I", content, link, first)
            return bytes(content)
        here = following


def plan_a0() -> bytes:
    """Return a plan of 9933 x 14043 pixels (A0 at 300 dpi), bitonal, in a small TIFF."""
    made = Image.new("1", (9933, 14043), 1)
    pen = ImageDraw.Draw(made)
    for position in range(400, 9600, 800):
        pen.line((position, 200, position, 13_800), fill=0, width=6)
    pen.text((500, 13_900), "Lageplan Blatt 1", fill=0, font=_font())
    return _encoded([made], "TIFF", compression="group4")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _encoded(sides: list[Image.Image], form: str, **options: object) -> bytes:
    first, *others = sides
    if others:
        options |= {"save_all": True, "append_images": others}
    stream = io.BytesIO()
    first.save(stream, form, dpi=DPI, **options)
    return stream.getvalue()
