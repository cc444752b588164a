"""Files inside a PDF: found wherever they hang, unpacked with a limit, never run or judged.

The name tree, associated files, annotations and portfolios all lead to file specifications
(ISO 32000-1, 7.11). They are found by going over all objects, so that one which the catalogue
hides is found too. Deflated bytes are unpacked piece by piece: a bomb costs what the limit
allows and no more.
"""

from __future__ import annotations

import itertools
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, Literal

import pikepdf

#: What pikepdf raises when it meets the wrong type, a missing key or a broken stream.
DAMAGE: Final = (
    pikepdf.PdfError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
)
MOST_OBJECTS: Final = 500_000
UNNAMED: Final = "ohne Namen"
_LONGEST_NAME: Final = 200
_SPEC_DEPTH: Final = 6
_PIECE: Final = 1 << 20
#: Packed otherwise than deflated, a file is unpacked whole in memory, so it has to be small.
_MOST_ODD: Final = 256 * 1024
_DEFLATED: Final = "/FlateDecode"
#: Names that invoices in PDF/A-3 give their machine-readable part (Factur-X 1.0, XRechnung).
_READABLE: Final = frozenset(
    {"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml", "order-x.xml", "cii-xrechnung.xml"}
)
#: ISO 19005-3, 6.8: files that say the same as the pages, or what the pages were made from.
_SAME_CONTENT: Final = frozenset({"/Alternative", "/Source", "/Data"})
Problem = Literal["damaged", "too_large"]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """One file inside a PDF.

    Attributes:
        name: For display, without folders.
        belongs: It says what the pages say, for machines: an invoice's XML, the pages' source.
        path: Its bytes, unpacked; None where `problem` says why not.
        size: Of those bytes.
    """

    name: str
    belongs: bool
    path: Path | None = None
    size: int = 0
    problem: Problem | None = None


class _TooLarge(Exception):
    pass


def file_names(place: Any) -> Iterator[str]:
    """Yield the names of the file specifications in `place`, not those in objects of their own."""
    for spec in _specs(place):
        yield _name(spec)


def embedded_files(
    path: Path, folder: Path, most_bytes: int, most_files: int
) -> Iterator[Embedded]:
    """Unpack the files inside the PDF at `path`, one at a time.

    Each stream is yielded once, however many specifications name it. What belongs to the pages
    is named and not unpacked.

    Args:
        path: Opens without a password.
        folder: Each file lies there until the next one is asked for.
        most_bytes: Of all unpacked files together; what does not fit is yielded as a problem.
        most_files: After so many, those that remain are yielded as problems.
    """
    left = most_bytes
    with pikepdf.open(path, suppress_warnings=True) as document:
        for number, (spec, stream) in enumerate(_found(document)):
            name = _name(spec)
            belongs = _belongs(spec, name)
            if belongs or number >= most_files:
                yield Embedded(name=name, belongs=belongs, problem=None if belongs else "too_large")
                continue
            target = folder / f"embedded-{number}"
            found = _unpacked(stream, target, left)
            if isinstance(found, int):
                left -= found
                yield Embedded(name=name, belongs=False, path=target, size=found)
            else:
                yield Embedded(name=name, belongs=False, problem=found)
            target.unlink(missing_ok=True)


def _found(document: pikepdf.Pdf) -> Iterator[tuple[Any, Any]]:
    seen: set[tuple[int, int]] = set()
    for item in itertools.islice(document.objects, MOST_OBJECTS):
        try:
            place = item.stream_dict if isinstance(item, pikepdf.Stream) else item
            for spec in list(_specs(place)):
                stream = _stream(spec)
                if stream is not None and stream.objgen not in seen:
                    seen.add(stream.objgen)
                    yield spec, stream
        except DAMAGE:
            continue  # a broken object hides at most what it holds itself


def _specs(place: Any, depth: int = 0) -> Iterator[Any]:
    if depth > _SPEC_DEPTH:
        return
    if isinstance(place, pikepdf.Array):
        inner: list[Any] = list(place)
    elif isinstance(place, pikepdf.Dictionary):
        if isinstance(place.get("/EF"), pikepdf.Dictionary):
            yield place
            return
        inner = [place[key] for key in place.keys()]  # noqa: SIM118 - no iteration over a dictionary object
    else:
        return
    for entry in inner:
        if isinstance(entry, (pikepdf.Array, pikepdf.Dictionary)) and not entry.is_indirect:
            yield from _specs(entry, depth + 1)


def _stream(spec: Any) -> Any:
    held = [spec.EF.get(key) for key in ("/UF", "/F", "/Unix", "/DOS", "/Mac")]
    return next((stream for stream in held if isinstance(stream, pikepdf.Stream)), None)


def _name(spec: Any) -> str:
    """Return a name that is one, whatever the sender wrote: no folders, no control characters."""
    given = spec.get("/UF", spec.get("/F", None))
    text = unicodedata.normalize("NFC", "" if given is None else str(given))
    text = "".join(character for character in text if character.isprintable()).strip()
    return PureWindowsPath(PurePosixPath(text).name).name[:_LONGEST_NAME] or UNNAMED


def _belongs(spec: Any, name: str) -> bool:
    relation = str(spec.get("/AFRelationship", ""))
    return relation in _SAME_CONTENT or name.lower() in _READABLE


def _unpacked(stream: Any, target: Path, most: int) -> int | Problem:
    """Write the stream's bytes to `target`; return how many, or why they are not there."""
    written = 0
    try:
        with target.open("wb") as file:
            for piece in _pieces(stream, most):
                written += len(piece)
                if written > most:
                    return "too_large"
                file.write(piece)
    except (_TooLarge, MemoryError):
        return "too_large"
    except (*DAMAGE, zlib.error):
        return "damaged"
    return written


def _pieces(stream: Any, most: int) -> Iterator[bytes]:
    raw = stream.read_raw_bytes()
    if not raw:
        return
    filters = _filters(stream)
    plain = all(name == _DEFLATED for name in filters) and "/DecodeParms" not in stream
    if plain:
        pieces: Iterator[bytes] = iter([raw])
        for _ in filters:
            pieces = _inflated(pieces)
        yield from pieces
        return
    if len(raw) > min(_MOST_ODD, most) or len(filters) > 1:
        raise _TooLarge
    yield stream.read_bytes()


def _filters(stream: Any) -> list[str]:
    found = stream.get("/Filter")
    if found is None:
        return []
    return [str(name) for name in found] if isinstance(found, pikepdf.Array) else [str(found)]


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for piece in pieces:
        rest = piece
        while rest and not inflater.eof:
            yield inflater.decompress(rest, _PIECE)
            rest = inflater.unconsumed_tail
    yield inflater.flush(_PIECE)
    if not inflater.eof:
        message = "the deflated bytes end early"
        raise zlib.error(message)
