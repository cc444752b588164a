"""The note of a finished file, years later: is it there, whole, this file's, and the ledger's?

For `verify`. The file alone shows whether the note is there, valid, consistent with itself and
with the file's metadata. The ledger, where there is one, shows whether it is the note that was
written and whether it says what was recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.document import Facts
from workers.noteproof import Note, NoteBroken, attached

#: What lies beside a PDF without attachments is called like it.
BESIDE_SUFFIX: Final = ".note.xml"
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What is said of the note of one file.

    Attributes:
        text: German.
        facts: Document, batch, digests and statement that the note names; empty without a note.
    """

    passed: bool
    text: str
    facts: Facts


def judge(path: Path, unsealed: int, beside: bytes | None = None) -> Judged:
    """Judge the note of a PDF.

    Args:
        path: The sealed file.
        unsealed: Bytes of it before the seal.
        beside: A note that lies elsewhere; None looks for one beside the file.
    """
    try:
        content = attached(path)
        inside = content is not None
        if content is None:
            content = _beside(path) if beside is None else beside
        if content is None:
            return Judged(passed=False, text="Kein Vermerk in der Datei.", facts={})
        note = Note(content)
    except NoteBroken as error:
        return Judged(passed=False, text=str(error), facts={})
    facts = _facts(note)
    try:
        _require_own(note, path, unsealed, inside=inside)
        if note.is_transfer:
            note.require_whole()
    except NoteBroken as error:
        return Judged(passed=False, text=str(error), facts=facts)
    name = "Transfervermerk" if note.is_transfer else "Scanvermerk"
    where = "" if inside else " (neben der Datei)"
    text = f"{name}{where} zu Dokument {facts['document']}, {len(facts['pages'])} Abbilder."
    return Judged(passed=True, text=text, facts=facts)


def contradictions(note: Facts, record: Facts) -> Iterator[str]:
    """Yield where a note says something else than the ledger; German sentences.

    Args:
        note: `Judged.facts`.
        record: The document, see `ingest.ledger.showing.show`.
    """
    kept = [made["sha256"] for made in record["renditions"] if made["kind"] == "note"]
    if kept and note["sha256"] != kept[-1]:
        yield "Der Vermerk ist nicht der, den diese Anlage schrieb."
    if note["document"] != record["id"]:
        yield f"Der Vermerk gehört zu Dokument {note['document']}."
    digests = {page["number"]: page["sha256"] for page in record["pages_found"]}
    if sorted(note["pages"]) != sorted(digests.values()):
        yield "Der Vermerk nennt andere Abbilder als das Ledger."
    said: Facts = record["facts"].get("note", {})
    if note["treatment"] != said.get("treatment", "kopierend"):
        yield f"Laut Vermerk {note['treatment']}, laut Ledger {said.get('treatment')}."
    if note["statement"] != said.get("statement"):
        yield "Die Erklärung der Übereinstimmung ist nicht die, die das Ledger kennt."


def _facts(note: Note) -> Facts:
    return {
        "sha256": hashlib.sha256(note.content).hexdigest(),
        "note": note.text("Vermerk/Kennung"),
        "created_at": note.text("Vermerk/ErstelltAm"),
        "treatment": note.text("Vermerk/Behandlung"),
        "document": note.text("Scanprodukt/Kennung"),
        "batch": note.text("Stapel/Kennung"),
        "received_at": note.text("Eingang/Eingangsdatum"),
        "sources": note.texts("Pruefsummen/Quelle"),
        "pages": note.texts("Pruefsummen/Abbild"),
        "composed": note.text("Pruefsummen/PdfVorVermerk"),
        "text": note.text("Pruefsummen/Text"),
        "statement": _statement(note),
    }


def _statement(note: Note) -> Facts | None:
    """Return the statement of the match as the ledger keeps it; a Scanvermerk has none."""
    if not note.is_transfer:
        return None
    return {
        "visual": note.text("Uebereinstimmung/Bildlich") in ("true", "1"),
        "content": note.text("Uebereinstimmung/Inhaltlich") in ("true", "1"),
        "ground": note.text("Uebereinstimmung/Grundlage"),
    }


def _beside(path: Path) -> bytes | None:
    neighbour = path.with_suffix(BESIDE_SUFFIX)
    return neighbour.read_bytes() if neighbour.is_file() else None


def _require_own(note: Note, path: Path, unsealed: int, *, inside: bool) -> None:
    """Compare the note with what the file's metadata says, and with its bytes where it can."""
    import pikepdf

    try:
        with pikepdf.open(path) as pdf:
            metadata = pdf.open_metadata()
            identifier = metadata.get("dc:identifier", "")
            relations = metadata.get("dc:relation", ())
    except (pikepdf.PdfError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        raise NoteBroken(f"Die Metadaten sind nicht lesbar: {type(error).__name__}") from error
    if identifier != f"urn:uuid:{note.text('Scanprodukt/Kennung')}":
        raise NoteBroken("Der Vermerk gehört zu einem anderen Dokument als die Metadaten.")
    if inside:
        return
    if not relations:
        raise NoteBroken("Kein Vermerk in der Datei, und sie nennt keinen, der daneben läge.")
    if f"urn:uuid:{note.text('Vermerk/Kennung')}" not in relations:
        raise NoteBroken("Die PDF nennt einen anderen Vermerk.")
    if note.text("Pruefsummen/PdfVorSiegel") != _digest(path, unsealed):
        raise NoteBroken("Der Vermerk nennt eine andere PDF.")


def _digest(path: Path, size: int) -> str:
    digest, missing = hashlib.sha256(), size
    with path.open("rb") as stream:
        while missing > 0 and (block := stream.read(min(missing, _CHUNK))):
            digest.update(block)
            missing -= len(block)
    return digest.hexdigest()
