"""The seal of a document that leaves the house: on the bytes as they were handed in.

The seal is one increment behind them, so what was handed in is still there, byte for byte.
Signatures that were in the file before must hold as they did; XMP and what the file says of
its conformance to PDF/A stay as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import pikepdf
from cryptography.hazmat.primitives import hashes
from pyhanko.pdf_utils.reader import PdfFileReader

from ingest.document import OUTGOING, Assignment, Document, Facts, Outcome, RenditionKind
from ingest.errors import Misconfigured, ToolFailed, Unclear
from profiles.outgoing import OutgoingRules
from workers.sealing.levels import Means, seal
from workers.sealing.opinion import confirm
from workers.sealing.port import OUTGOING_REASON
from workers.sealing.proof import Seal, SealBroken, prove
from workers.sealing.signing import NotSignable, Presentation
from workers.sealing.tokens import unlogged

if TYPE_CHECKING:
    from ingest.context import StepContext
    from workers.sealing.appearance import Appearance

_AGAIN: Final = (
    "Bitte das Schreiben neu als PDF/A ausgeben und erneut einreichen; diesen Auftrag mit „reject“ "
    "zurückweisen."
)


def leave(
    assignment: Assignment, context: StepContext, document: Document, means: Means, tool: str
) -> Outcome:
    """Seal the source of an outgoing batch and say what was sealed, by whom and when.

    Raises:
        Unclear: The file takes no seal, or what was in it would not survive one.
        Misconfigured: The profile is none for outgoing documents, or a font is missing.
        ToolFailed: The fresh seal does not hold.
        AuthorityUnavailable: As `seal`.
    """
    ordered: Facts = assignment.batch.facts[OUTGOING]
    source = assignment.batch.source(document.source)
    before, target = context.path(source.sha256), context.workspace / "sealed.pdf"
    look = _look(assignment, context, before, means) if ordered["visible"] else None
    try:
        presentation = Presentation(reason=OUTGOING_REASON, look=look)
        seal(before, target, document.id, means, presentation)
        made = prove(target, before, means.key, means.level)
        validated = confirm(target, made, means, always=True)
        _require_unharmed(before, target, made.field)
    except NotSignable as error:
        text = f"Dokument {document.id}: das PDF nimmt kein Siegel an ({error}). {_AGAIN}"
        raise Unclear(str(error), operator_text=text, code="not_sealable") from error
    except SealBroken as error:
        text = (
            f"Dokument {document.id}: das Siegel ist misslungen ({error}). Es wird wieder "
            "versucht; bitte bei Wiederholung den Hersteller unterrichten."
        )
        raise ToolFailed(f"document {document.id}: {error}", operator_text=text) from error
    rendition = context.rendition(
        RenditionKind.PDF,
        target,
        media_type="application/pdf",
        parent=source.sha256,
        tool=tool,
        settings={"level": means.level, "kind": means.key.kind, "visible": ordered["visible"]},
    )
    facts = {**_facts(means, made, ordered), "validated": validated}
    said = {**facts, "sha256_before": source.sha256, "sha256_after": rendition.sha256}
    return Outcome(renditions=(rendition,), facts=facts, leaves=said)


def _facts(means: Means, made: Seal, ordered: Facts) -> Facts:
    certificate, stamper = means.key.certificate, means.stamper
    facts: Facts = {
        **ordered,
        "level": means.level,
        "kind": means.key.kind,
        "certificate_sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "subject": certificate.subject.rfc4514_string(),
        "not_valid_after": certificate.not_valid_after_utc.isoformat(),
        "timestamp_at": None if made.stamp is None else made.stamp.at.isoformat(),
        "tsa": None if stamper is None else stamper.used,
    }
    if stamper is not None and stamper.passed_over:
        facts["tsa_passed_over"] = stamper.passed_over
    return facts


def _look(assignment: Assignment, context: StepContext, path: Path, means: Means) -> Appearance:
    place = assignment.profile.get("outgoing")
    if place is None:
        text = f"Profil '{assignment.profile['name']}' ist keines für ausgehende Schreiben."
        raise Misconfigured("profile without [outgoing]", operator_text=text)
    from workers.sealing.appearance import draw  # fonts, which few seals need

    rules = OutgoingRules.model_validate(place)
    return draw(path, rules, means.key.certificate, context.settings.house.zone)


def _require_unharmed(before: Path, after: Path, field: str) -> None:
    with (
        pikepdf.open(before, suppress_warnings=True) as old,
        pikepdf.open(after, suppress_warnings=True) as new,
    ):
        if _metadata(old) != _metadata(new):
            message = "the seal changed the metadata of the file"
            raise SealBroken(message)
        if not old.Root.get("/AcroForm", pikepdf.Dictionary()).get("/Fields"):
            return  # no field, no signature: validation would only cost memory
    with after.open("rb") as stream, unlogged():
        try:
            harmed = _harmed(stream, field)
        # As with signing: foreign signatures defeat pyHanko anywhere.
        except Exception as error:
            reason = f"eine vorhandene Signatur ist nicht lesbar: {type(error).__name__} {error}"
            raise NotSignable(reason) from error
    if harmed:
        message = f"die vorhandene Signatur {', '.join(harmed)} lässt es nicht zu"
        raise NotSignable(message)


def _metadata(pdf: pikepdf.Pdf) -> bytes | None:
    return pdf.Root.Metadata.read_raw_bytes() if "/Metadata" in pdf.Root else None


def _harmed(stream: BinaryIO, field: str) -> list[str]:
    """Return the other signatures that what was appended breaks, by the name of their field.

    Judged are their own rules (DocMDP, FieldMDP; ISO 32000-1, 12.8.2), not whether they are
    valid: that is for whoever made them.
    """
    reader = PdfFileReader(stream, strict=False)
    harmed = []
    for one in reader.embedded_signatures:
        if one.field_name == field:
            continue
        one.compute_integrity_info()
        if not one.summarise_integrity_info()["docmdp_ok"]:
            harmed.append(str(one.field_name))
    return harmed
