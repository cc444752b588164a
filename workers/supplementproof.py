"""A supplementary note and its detached seal, years later: do they hold, and for what?"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ingest.document import Facts
from workers.noteproof import Note, NoteBroken
from workers.noteverifying import Judged

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate

    from workers.sealing.validation import Beside


_STRANGER: Final = (
    "Der Ergänzungsvermerk ist nicht mit dem Zertifikat gesichert, das dieses Haus benutzt hat."
)


def judge_supplement(
    content: bytes,
    seal: bytes,
    roots: Mapping[str, list[Certificate]],
    authorities: list[Certificate],
    sealers: Collection[str] | None = None,
) -> Judged:
    """Judge a supplementary note by its bytes, its seal by two independent paths.

    Args:
        content: The note.
        seal: Beside it, DER.
        roots: What to trust, by kind of key (`installation`, `organisation`).
        authorities: Roots of the timestamp authority; empty leaves it unjudged.
        sealers: Digests of the certificates of which one must have sealed it; None for any.
    """
    from workers.sealing.port import fingerprint, introduced, kind_of
    from workers.sealing.proof import SealBroken, verify_container
    from workers.sealing.validation import NotValidated, validate_beside

    try:
        note = Note(content)
        if not note.is_supplement:
            return _failed("Die Datei ist kein Ergänzungsvermerk.")
        certificate, _ = verify_container(seal, hashlib.sha256(content).digest())
        said = validate_beside(content, seal, roots[kind_of(certificate)], authorities)
    except (NoteBroken, SealBroken, NotValidated) as error:
        return _failed(f"Ergänzungsvermerk oder sein Siegel gilt nicht: {error}")
    # asn1crypto and cryptography raise anything on a container that is none.
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return _failed(f"Das Siegel des Ergänzungsvermerks ist beschädigt: {type(error).__name__}")
    if (doubt := _doubt(said)) is not None:
        return _failed(doubt)
    whose = f"Zertifikat: {introduced(certificate)}."
    if sealers is not None and fingerprint(certificate) not in sealers:
        return _failed(f"{_STRANGER} {whose}")
    facts = _facts(note)
    text = f"Ergänzungsvermerk: {facts['result']} durch {facts['by']}, Siegel unversehrt. {whose}"
    return Judged(passed=True, text=text, facts=facts)


def _doubt(said: Beside) -> str | None:
    """Return why a seal is not to be believed, None if it is."""
    stamp = said.timestamp
    if not said.sound:
        return "Das Siegel passt nicht zum Ergänzungsvermerk."
    if not said.trusted:
        return "Das Siegel des Ergänzungsvermerks führt zu keiner angegebenen Wurzel."
    if stamp is not None and (not stamp.intact or stamp.trusted is False):
        return "Der Zeitstempel des Ergänzungsvermerks ist nicht gültig."
    return None


def disagreements(said: Facts, record: Facts) -> Iterator[str]:
    """Yield where a supplementary note and the ledger differ; German sentences.

    Args:
        said: `Judged.facts` of the note.
        record: The document, see `ingest.ledger.showing.show`.
    """
    outputs = record["outputs"]
    for what, found, expected in (
        ("Dokument", said["document"], record["id"]),
        ("gesicherte PDF", said["pdf"], outputs["pdf"]["sha256"]),
        ("Vermerk", said["note"], outputs["note"]["sha256"]),
    ):
        if found != expected:
            yield f"Der Ergänzungsvermerk nennt eine andere Angabe ({what}: {found})."
    kept: Facts = record["facts"].get("confirming", {})
    if said["treatment"] != kept.get("treatment") or said["by"] != kept["statement"]["by"]:
        yield "Der Ergänzungsvermerk sagt etwas anderes als das Ledger."


def _facts(note: Note) -> Facts:
    return {
        "document": note.text("Bezug/Scanprodukt"),
        "pdf": note.text("Bezug/PdfSha256"),
        "note": note.text("Bezug/VermerkSha256"),
        "by": note.text("Ersteller/Kuerzel"),
        "result": note.text("Pruefung/Ergebnis"),
        "treatment": note.text("Vermerk/Behandlung"),
    }


def _failed(text: str) -> Judged:
    return Judged(passed=False, text=text, facts={})
