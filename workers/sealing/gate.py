"""No seal of a replacing scan without its whole transfer note, judged by the bytes alone.

The note is read out of the file that is about to be sealed and held against what the ledger
names: this document, its images, its class, its check. What the step that wrote the note said
of it counts for nothing here.
"""

from __future__ import annotations

from ingest.context import StepContext
from ingest.document import Assignment, Document, Facts, RenditionKind
from ingest.errors import NoteIncomplete
from workers.noteproof import Expected, Note, NoteBroken, attached, pages_in

_CONFIRMED = frozenset({"passed", "confirmed"})


def require_note(assignment: Assignment, document: Document, context: StepContext) -> bool:
    """Require the note that a document of a replacing class needs before its seal.

    Returns:
        Whether it is a transfer note; a document that was never paper has a Scanvermerk, which
        claims no match.

    Raises:
        NoteIncomplete: The note is missing, not whole, not of this document, or says more than
            was checked; nothing may be sealed.
    """
    try:
        note = _note(document, context)
        if not note.is_transfer:
            _require_electronic(note)
            return False
        note.require_whole()
        note.require_about(_expected(assignment, document))
        _require_pages(document, context, note)
    except NoteBroken as error:
        raise NoteIncomplete(
            f"document {document.id}: {error}",
            operator_text=(
                f"Dokument {document.id}: Ohne vollständigen Transfervermerk wird nichts "
                f"gesichert: {error}. Bitte das Papier aufbewahren und den Betrieb der Anlage "
                "unterrichten."
            ),
        ) from error
    return True


def _note(document: Document, context: StepContext) -> Note:
    """Return the note that will be sealed: the one inside, else the one beside."""
    noted = document.renditions.get(RenditionKind.NOTED)
    beside = document.renditions.get(RenditionKind.NOTE)
    if noted is not None and (inside := attached(context.path(noted.sha256))) is not None:
        if beside is not None and context.read(beside.sha256) != inside:
            raise NoteBroken("Der Vermerk in der PDF ist nicht der aufbewahrte")
        return Note(inside)
    if beside is None or (noted is not None and noted.settings.get("pdfa") != "2b"):
        raise NoteBroken("Die PDF enthält keinen Transfervermerk")
    return Note(context.read(beside.sha256))


def _require_pages(document: Document, context: StepContext, note: Note) -> None:
    found, said = pages_in(context.path(document.renditions[RenditionKind.NOTED].sha256)), note.text
    if str(found) != said("Zaehlung/Seiten"):
        raise NoteBroken(f"Die PDF hat {found} Seiten, der Vermerk {said('Zaehlung/Seiten')}")


def _require_electronic(note: Note) -> None:
    if note.text("Scanprodukt/Herkunft") != "elektronisch":
        raise NoteBroken("Statt des Transfervermerks gibt es nur einen Scanvermerk")


def _somebody_looked(quality: Facts) -> bool:
    return quality.get("verdict") is not None or bool(quality.get("checked_by"))


def _expected(assignment: Assignment, document: Document) -> Expected:
    composed = document.renditions.get(RenditionKind.COMPOSED)
    noted = document.renditions.get(RenditionKind.NOTED)
    if composed is None or noted is None:
        raise NoteBroken("Es gibt keine PDF/A, zu der der Transfervermerk gehört")
    quality = assignment.quality
    return Expected(
        document=document.id,
        revision=document.revision,
        batch=assignment.batch.id,
        profile_sha256=assignment.profile_sha256,
        pages=tuple(page.sha256 for page in assignment.pages),
        composed=composed.sha256,
        sealed=noted.sha256 if noted.settings.get("pdfa") == "2b" else None,
        confirmed=quality.get("state") in _CONFIRMED and _somebody_looked(quality),
        looked_at=quality.get("verdict") is not None,
    )
