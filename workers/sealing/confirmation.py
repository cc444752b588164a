"""CONFIRMATION_SEALING: the supplementary note gets a seal of its own, beside it.

By the same means as the document: what its class demands is made, or the work waits.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

from ingest.context import StepContext
from ingest.document import Assignment, Document, Facts, Outcome, RenditionKind
from ingest.errors import NoteIncomplete, ToolFailed
from workers.noteproof import Note, NoteBroken
from workers.sealing import key_of, tool
from workers.sealing.levels import means, require_means


def perform(assignment: Assignment, context: StepContext) -> Outcome:
    """Seal the supplementary note, prove the seal and return it.

    Raises:
        NoteIncomplete: The note is missing, not valid, or of another document, file or result.
        AuthorityUnavailable: No timestamp authority answers properly, or the key is away.
        Misconfigured: See `workers.sealing.perform`.
        ToolFailed: The fresh seal does not hold.
    """
    from workers.sealing.detached import prove_beside, seal_beside
    from workers.sealing.proof import SealBroken
    from workers.sealing.signing import NotSignable

    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    content = _required(assignment, document, context)
    configured = context.settings.sealing
    require_means(assignment.profile, configured)
    with_what = means(assignment.profile["sealing"], configured, key_of(assignment, context))
    try:
        seal = seal_beside(content, with_what)
        level = prove_beside(content, seal, with_what)
    except (NotSignable, SealBroken) as error:
        text = (
            f"Dokument {document.id}: Das Siegel des Ergänzungsvermerks ist misslungen ({error}). "
            "Es wird wieder versucht; bitte bei Wiederholung den Hersteller unterrichten."
        )
        raise ToolFailed(f"supplement of {document.id}: {error}", operator_text=text) from error
    key, stamper = with_what.key, with_what.stamper
    facts: Facts = {
        "level": level,
        "kind": key.kind,
        "certificate_sha256": key.certificate.fingerprint(hashes.SHA256()).hex(),
        "tsa": None if stamper is None else stamper.used,
    }
    made = context.rendition(
        RenditionKind.SUPPLEMENT_SEAL,
        seal,
        media_type="application/pkcs7-signature",
        parent=document.renditions[RenditionKind.SUPPLEMENT].sha256,
        tool=tool(),
        settings={"level": level, "kind": key.kind},
    )
    return Outcome(renditions=(made,), facts=facts)


def _required(assignment: Assignment, document: Document, context: StepContext) -> bytes:
    """Return the note's bytes if they are what may be sealed, judged without any facts."""
    made = document.renditions.get(RenditionKind.SUPPLEMENT)
    content = b"" if made is None else context.read(made.sha256)
    try:
        _compare(Note(content), assignment, document)
    except NoteBroken as error:
        raise NoteIncomplete(
            f"supplement of {document.id}: {error}",
            operator_text=(
                f"Dokument {document.id}: Der Ergänzungsvermerk wird nicht gesichert: {error}. "
                "Bitte den Betrieb der Anlage unterrichten."
            ),
        ) from error
    return content


def _compare(note: Note, assignment: Assignment, document: Document) -> None:
    if not note.is_supplement:
        raise NoteBroken("Es ist kein Ergänzungsvermerk")
    quality = assignment.quality
    verdict: Facts = quality.get("verdict") or {}
    confirmed = quality.get("state") == "confirmed"
    sealed, original = (
        document.renditions.get(kind) for kind in (RenditionKind.PDF, RenditionKind.NOTE)
    )
    for path, expected in (
        ("Bezug/Scanprodukt", document.id),
        ("Bezug/Fassung", str(document.revision)),
        ("Bezug/PdfSha256", None if sealed is None else sealed.sha256),
        ("Bezug/VermerkSha256", None if original is None else original.sha256),
        ("Ersteller/Kuerzel", verdict.get("by")),
        ("Pruefung/Ergebnis", "bestätigt" if confirmed else "nicht bestätigt"),
        ("Uebereinstimmung/Inhaltlich", str(confirmed).lower()),
        ("Vermerk/Behandlung", "ersetzend" if confirmed else "kopierend"),
    ):
        if note.text(path) != expected:
            raise NoteBroken(f"{path} ist {note.text(path)}, nicht {expected}")
