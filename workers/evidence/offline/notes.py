"""The transfer note: which document, which digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET

_PLAIN = re.compile(
    rb"<\?xml version=['\"]1\.0['\"] encoding=['\"][Uu][Tt][Ff]-8['\"]\?>\s*<[A-Za-z]"
)
_DIGEST = re.compile("[0-9a-f]{64}")
_CONTRACTOR = ("Auftragnehmer", "Name")
_ROOTS_OF_NOTES = frozenset({"Scanvermerk", "Transfervermerk"})


class Note(NamedTuple):
    """What a note says that can be compared.

    Attributes:
        pages: Digest of each image by its number in the batch.
        sources: Digests of the files that arrived.
        composed: Digest of the PDF before the note was put in; None without one.
        unsealed: Digest of the PDF before the seal, where the note lies beside it.
        profile: Digest of the profile by which it was treated; None without one.
        procedures: Digests of the written procedure and its annex, by what they are.
        house: Name of the organisation that scanned; None without one.
    """

    document: str
    batch: str
    pages: dict[str, str]
    sources: tuple[str, ...]
    composed: str | None
    unsealed: str | None
    profile: str | None
    procedures: dict[str, str]
    house: str | None


def read_note(content: bytes) -> Note:
    """Read a note.

    Raises:
        ValueError: It is none; the message says what is wrong.
    """
    root = _parsed(content)
    if _local(root) not in _ROOTS_OF_NOTES:
        raise ValueError("kein Vermerk")
    digests = [one for part in _parts(root, "Pruefsummen") for one in part]
    # In a Scanvermerk the profile is the procedure; a Transfervermerk names both.
    copying = _local(root) == "Scanvermerk"
    named = ("Sha256",) if copying else ("Profil", "Sha256")
    return Note(
        document=_identifier(root, "Scanprodukt"),
        batch=_identifier(root, "Stapel"),
        pages={str(one.get("nummer")): str(one.text) for one in digests if _local(one) == "Abbild"},
        sources=tuple(str(one.text) for one in digests if _local(one) == "Quelle"),
        composed=_text_of(root, "Pruefsummen", "PdfVorVermerk"),
        unsealed=_text_of(root, "Pruefsummen", "PdfVorSiegel"),
        profile=_text_of(root, "Verfahren" if copying else "Einstellungen", *named),
        procedures={} if copying else _procedures(root),
        house=_text_of(root, *(("Erfassung", "Organisation") if copying else _CONTRACTOR)),
    )


def read_reference(content: bytes) -> dict[str, str]:
    """Return what a supplementary note refers to, text by name.

    Raises:
        ValueError: It is none.
    """
    root = _parsed(content)
    if _local(root) != "Ergaenzungsvermerk":
        raise ValueError("kein Ergänzungsvermerk")
    return {_local(one): str(one.text) for part in _parts(root, "Bezug") for one in part}


def _parsed(content: bytes) -> ET.Element:
    # Without a document type there are no entities, and so nothing that could grow; in another
    # encoding than UTF-8 it could not be seen.
    if _PLAIN.match(content) is None or b"<!DOCTYPE" in content or b"\0" in content:
        raise ValueError("keine Form, in der hier Vermerke geschrieben werden")
    try:
        return ET.fromstring(content)  # noqa: S314 - see above
    except ET.ParseError as error:
        raise ValueError(f"kein XML ({error})") from error


def _identifier(root: ET.Element, part: str) -> str:
    found = _text_of(root, part, "Kennung")
    if found is None:
        raise ValueError(f"ohne Kennung unter {part}")
    return found


def _procedures(root: ET.Element) -> dict[str, str]:
    texts = {"Verfahrensdokumentation": "Sha256", "Technische Anlage": "AnlageSha256"}
    found = {what: _text_of(root, "Verfahren", name) for what, name in texts.items()}
    return {
        what: text for what, text in found.items() if text is not None and _DIGEST.fullmatch(text)
    }


def _text_of(parent: ET.Element, *path: str) -> str | None:
    """Return the text at a path of names, None where there is none."""
    for name in path:
        found = next(_parts(parent, name), None)
        if found is None:
            return None
        parent = found
    return str(parent.text)


def _parts(parent: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in parent if _local(child) == name)


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
