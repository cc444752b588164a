"""A PDF written page by page, straight to disk.

Scanned pages are large and many; a library that builds the document in memory would hold all of
them. Here each page's image goes to the file as it comes, and only the cross-reference table is
kept. The result is plain PDF 1.7; fonts, metadata and PDF/A are added to it afterwards by those
who read stream data lazily.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

#: a b c d e f: u' = a·u + c·v + e, v' = b·u + d·v + f, in the unit square with v upwards.
Matrix = tuple[float, float, float, float, float, float]

#: What an orientation tag (TIFF 6.0, EXIF) asks for, as a map of the unit square onto itself.
ORIENTATIONS: Final[dict[int, Matrix]] = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
#: Clockwise turns in the same notation.
TURNS: Final = {0: 1, 90: 6, 180: 3, 270: 8}
_CATALOG, _PAGES, _FONTS = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class PageImage:
    """An image as a PDF carries it.

    Attributes:
        width: Pixels across, as stored.
        height: Pixels down, as stored.
        bits: Per channel.
        colour: Colour space in PDF notation; not looked at where `icc` is given.
        filter: Name of the filter that `data` needs, with its slash.
        parameters: Decode parameters in PDF notation, empty where there are none.
        icc: Profile of the device, None where the colour space says it all.
        components: Channels.
        orientation: Tag 1 … 8 that the file carried; the data are as stored.
        lossy: With what it was packed anew as JPEG, None where decoding gives exactly the pixels
            of the original.
    """

    width: int
    height: int
    bits: int
    colour: str
    filter: str
    parameters: str
    data: bytes
    components: int
    icc: bytes | None = None
    orientation: int = 1
    lossy: str | None = None


class PageFile:
    """A PDF under construction. Use as a context manager; leaving it completes the file."""

    def __init__(self, path: Path) -> None:
        """Begin the file at `path`."""
        self._stream = path.open("wb")
        self._offsets: dict[int, int] = {}
        self._next = _FONTS + 1
        self._pages: list[int] = []
        self._profiles: dict[bytes, int] = {}
        self._stream.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the page tree and the cross-reference table, and close."""
        try:
            if error is None:
                self._complete()
        finally:
            self._stream.close()

    def add(self, image: PageImage, *, width: float, height: float, turn: int, text: bytes) -> None:
        """Append a page that shows `image` all over.

        Args:
            image: Its bytes are written at once and may be forgotten.
            width: Of the page as shown, in points.
            height: Of the page as shown, in points.
            turn: Clockwise, in degrees, beyond what the image's orientation tag asks for.
            text: Content of the text layer; its font is found in the shared font resources.
        """
        drawn = self._image(image)
        matrix = _then(ORIENTATIONS[image.orientation], ORIENTATIONS[TURNS[turn]])
        placed = " ".join(f"{value:.4f}" for value in _sized(matrix, width, height))
        content = self._put_stream("", text + f"q {placed} cm /Im Do Q\n".encode("ascii"))
        self._pages.append(
            self._put(
                f"<< /Type /Page /Parent {_PAGES} 0 R"
                f" /MediaBox [0 0 {width:.4f} {height:.4f}] /Contents {content} 0 R"
                f" /Resources << /XObject << /Im {drawn} 0 R >> /Font {_FONTS} 0 R >> >>"
            )
        )

    def _image(self, image: PageImage) -> int:
        colour = image.colour
        if image.icc is not None:
            colour = f"[/ICCBased {self._profile(image.icc, image.components)} 0 R]"
        parameters = f" /DecodeParms {image.parameters}" if image.parameters else ""
        return self._put_stream(
            f"/Type /XObject /Subtype /Image /Width {image.width} /Height {image.height}"
            f" /BitsPerComponent {image.bits} /ColorSpace {colour}"
            f" /Filter {image.filter}{parameters}",
            image.data,
        )

    def _profile(self, icc: bytes, components: int) -> int:
        digest = hashlib.sha256(icc).digest()
        if digest not in self._profiles:
            self._profiles[digest] = self._put_stream(f"/N {components}", icc)
        return self._profiles[digest]

    def _put_stream(self, keys: str, content: bytes) -> int:
        number = self._begin()
        self._stream.write(f"<< {keys} /Length {len(content)} >>\nstream\n".encode("ascii"))
        self._stream.write(content)
        self._stream.write(b"\nendstream\nendobj\n")
        return number

    def _put(self, content: str, number: int | None = None) -> int:
        number = self._begin(number)
        self._stream.write(content.encode("ascii") + b"\nendobj\n")
        return number

    def _begin(self, number: int | None = None) -> int:
        if number is None:
            number = self._next
            self._next += 1
        self._offsets[number] = self._stream.tell()
        self._stream.write(f"{number} 0 obj\n".encode("ascii"))
        return number

    def _complete(self) -> None:
        kids = " ".join(f"{number} 0 R" for number in self._pages)
        self._put(f"<< /Type /Catalog /Pages {_PAGES} 0 R >>", _CATALOG)
        self._put(f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] >>", _PAGES)
        self._put("<< >>", _FONTS)
        start = self._stream.tell()
        rows = [f"{self._offsets[number]:010d} 00000 n \n" for number in sorted(self._offsets)]
        self._stream.write(
            f"xref\n0 {self._next}\n0000000000 65535 f \n{''.join(rows)}"
            f"trailer\n<< /Size {self._next} /Root {_CATALOG} 0 R >>\n"
            f"startxref\n{start}\n%%EOF\n".encode("ascii")
        )


def _then(first: Matrix, second: Matrix) -> Matrix:
    """Return the map that does `first`, then `second`."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (
        a * p + b * r,
        a * q + b * s,
        c * p + d * r,
        c * q + d * s,
        e * p + f * r + t,
        e * q + f * s + u,
    )


def _sized(matrix: Matrix, width: float, height: float) -> Matrix:
    a, b, c, d, e, f = matrix
    return a * width, b * height, c * width, d * height, e * width, f * height
