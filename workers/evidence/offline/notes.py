"""The transfer note: which document, which digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_PLAIN = re.compile(
    rb"<\?xml version=['\"]1\.0['\"] encoding=['\"][Uu][Tt][Ff]-8['\"]\?>\s*<[A-Za-z]"
)
_ROOTS_OF_NOTES = frozenset({"Scanvermerk", "Transfervermerk"})


@dataclass(frozen=True)
class Note:
    """What a note says that can be compared.

    Attributes:
        pages: Digest of each image by its number in the batch.
        sources: Digests of the files that arrived.
        composed: Digest of the PDF before the note was put in; None without one.
        profile: Digest of the profile by which it was treated; None without one.
    """

    document: str
    batch: str
    pages: dict[str, str]
    sources: tuple[str, ...]
    composed: str | None
    profile: str | None


def read_note(content: bytes) -> Note:
    """Read a note.

    Raises:
        ValueError: It is none; the message says what is wrong.
    """
    # Without a document type there are no entities, and so nothing that could grow; in another
    # encoding than UTF-8 it could not be seen.
    if _PLAIN.match(content) is None or b"<!DOCTYPE" in content or b"\0" in content:
        raise ValueError("keine Form, in der hier Vermerke geschrieben werden")
    try:
        root = ET.fromstring(content)  # noqa: S314 - see above
    except ET.ParseError as error:
        raise ValueError(f"kein XML ({error})") from error
    if _local(root) not in _ROOTS_OF_NOTES:
        raise ValueError("kein Vermerk")
    digests = [one for part in _parts(root, "Pruefsummen") for one in part]
    composed = [one.text for one in digests if _local(one) == "PdfVorVermerk"]
    return Note(
        document=_identifier(root, "Scanprodukt"),
        batch=_identifier(root, "Stapel"),
        pages={str(one.get("nummer")): str(one.text) for one in digests if _local(one) == "Abbild"},
        sources=tuple(str(one.text) for one in digests if _local(one) == "Quelle"),
        composed=composed[0] if composed else None,
        profile=_text_of(root, "Verfahren", "Sha256"),
    )


def _identifier(root: ET.Element, part: str) -> str:
    found = _text_of(root, part, "Kennung")
    if found is None:
        raise ValueError(f"ohne Kennung unter {part}")
    return found


def _text_of(root: ET.Element, part: str, name: str) -> str | None:
    for parent in _parts(root, part):
        for child in _parts(parent, name):
            return str(child.text)
    return None


def _parts(parent: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in parent if _local(child) == name)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
