"""Delivery: the document's files appear in its department's folder, exactly once.

A document is a group of files with one stem: the PDF, the originals that came electronically,
in which anything was found or of which no PDF could be made, the note where it is not inside
the PDF, and the sidecar. The group is complete when `<stem>.ready` appears; from then on the
consumer may take it away. What happens when an attempt is interrupted stands in `publication`,
what becomes of the delivery of an earlier revision in `replacement`.
"""

from __future__ import annotations

import datetime as dt
import errno
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ingest import clock
from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Document,
    Facts,
    Outcome,
    Rendition,
    RenditionKind,
    Source,
    SourceKind,
    report_sha256,
)
from ingest.errors import ScanstrasseError, StoreUnavailable, UnsafeFolders
from profiles import is_department
from workers.delivery.filesystem import FileSystem
from workers.delivery.publication import JOURNAL, Journal, Publication
from workers.delivery.replacement import replace
from workers.delivery.sidecar import SCHEMA, sidecar

TOOL: Final = "scanstrasse delivery/1"
_STEM_CHARACTERS: Final = 80
_STEM_BYTES: Final = 160
#: The operator's to mend: rights, links, a department folder on another file system.
_FOLDER_FAULTS: Final = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EXDEV,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)


def perform(
    assignment: Assignment, context: StepContext, system: FileSystem | None = None
) -> Outcome:
    """Deliver the document to the folder of its department.

    Raises:
        StoreUnavailable: No space, read-only, out of reach, or other bytes read than written;
            nothing is visible.
        UnsafeFolders: The department's folder cannot be used; nothing is visible.
    """
    document = assignment.document
    if document is None:
        message = f"step {assignment.step} needs a document"
        raise ValueError(message)
    system = system or FileSystem()
    outbox = context.settings.outbox(assignment.tenant).absolute()
    journal = Journal(outbox / JOURNAL, system)
    try:
        receipt = journal.resume(assignment.idempotency_key)
        if receipt is None:
            folder = folder_of(outbox, document, system)
            publication = _publication(assignment, document, context, folder)
            receipt = journal.publish(publication)
        # in this order: a consumer never finds the document missing
        replaced = [replace(outbox, earlier, system) for earlier in document.supersedes]
    except OSError as error:
        raise explained(outbox, error) from error
    described = Rendition(kind=RenditionKind.SIDECAR, **receipt["sidecar"])
    facts = {**receipt["facts"], "replaced": replaced} if replaced else receipt["facts"]
    return Outcome(renditions=(described,), facts=facts)


def stem_of(source_name: str, document_id: str, revision: int = 1) -> str:
    """Return the stem of all files of a document: readable, safe anywhere, unique by the id.

    Every revision has an id of its own; later ones say so by name as well.
    """
    bare = source_name.replace("\\", "/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", bare.rpartition(".")[0] or bare)
    slug = re.sub(r"[^A-Za-z0-9ÄÖÜäöüß._-]+", "_", name).strip("._-")[:_STEM_CHARACTERS]
    while len(slug.encode()) > _STEM_BYTES:
        slug = slug[:-1]
    named = slug or "dokument"
    return f"{named}-{document_id}" if revision == 1 else f"{named}-fassung{revision}-{document_id}"


def folder_of(outbox: Path, document: Document, system: FileSystem) -> Path:
    """Return the folder of the document's department.

    Raises:
        UnsafeFolders: It cannot be one, or is none.
    """
    department = document.facts["routing"]["department"]
    if not is_department(department):
        text = f"Abteilung '{department}' ist kein zulässiger Ordnername. Bitte Profil berichtigen."
        raise UnsafeFolders(f"department {department!r}", operator_text=text)
    folder: Path = outbox / department
    if system.exists(folder) and not system.is_real_folder(folder):
        text = f"Zustellordner {folder} ist ein Verweis oder kein Ordner. Bitte Ordner anlegen."
        raise UnsafeFolders(f"{folder} is no real folder", operator_text=text)
    return folder


def _publication(
    assignment: Assignment, document: Document, context: StepContext, folder: Path
) -> Publication:
    delivered_at = clock.now()
    zone = ZoneInfo(context.settings.house.zone)
    stem = stem_of(assignment.batch.source(document.source).name, document.id, document.revision)
    files, outputs = _files(assignment, document, context, stem)
    content = sidecar(assignment, document, outputs, delivered_at, zone)
    made = context.rendition(
        RenditionKind.SIDECAR,
        content,
        media_type="application/json",
        parent=assignment.batch.source(document.source).sha256,
        tool=TOOL,
        settings={"schema": SCHEMA},
    )
    sha256 = {str(output["name"]): str(output["sha256"]) for output in outputs.values()}
    sha256[f"{stem}.json"] = made.sha256
    receipt: Facts = {
        "facts": _facts(folder, delivered_at, stem, sha256),
        "sidecar": {
            "sha256": made.sha256,
            "size": made.size,
            "media_type": made.media_type,
            "parent_sha256": made.parent_sha256,
            "tool": made.tool,
            "settings": made.settings,
        },
    }
    return Publication(
        key=assignment.idempotency_key,
        folder=folder,
        stem=stem,
        files={**files, f"{stem}.json": content},
        sha256=sha256,
        receipt=receipt,
    )


def _facts(folder: Path, delivered_at: dt.datetime, stem: str, sha256: dict[str, str]) -> Facts:
    return {
        "target": "folder",
        "path": str(folder),
        "delivered_at": delivered_at.isoformat(),
        "stem": stem,
        "files": sha256,
    }


def _files(
    assignment: Assignment, document: Document, context: StepContext, stem: str
) -> tuple[dict[str, Path | bytes], dict[str, Facts]]:
    """Return content by name, and name and digest by kind of output."""
    chosen: dict[str, tuple[str, str]] = {}
    pdf = _pdf(document)
    if pdf is not None:
        chosen["pdf"] = (f"{stem}.pdf", pdf.sha256)
    for number, original in enumerate(_originals(assignment, document, pdf), 1):
        named = "original" if number == 1 else f"original-{number}"
        name = f"{stem}.{named}{_extension(original.name)}"
        chosen[named] = (name, original.sha256)
    note = document.renditions.get(RenditionKind.NOTE)
    inside = document.facts.get("note", {}).get("attached", False)
    if note is not None and not inside:
        chosen["note"] = (f"{stem}.note.xml", note.sha256)
    report = report_sha256(assignment.batch.source(document.source).facts)
    if report is not None:
        chosen["validation"] = (f"{stem}.pruefbericht.xml", report)
    files: dict[str, Path | bytes] = {
        name: context.path(sha256) for name, sha256 in chosen.values()
    }
    outputs = {kind: {"name": name, "sha256": sha256} for kind, (name, sha256) in chosen.items()}
    return files, outputs


def _originals(
    assignment: Assignment, document: Document, pdf: Rendition | None
) -> Iterator[Source]:
    """Yield the sources that go along untouched: all that are more than a plain picture of paper.

    A copy leaves out or changes what inspection or composition found (scripts, enclosures,
    doubtful packing, damage); whoever has the copy must be able to look at what came.
    """
    mended = document.facts.get("composition", {}).get("findings")
    for ordinal in sorted({document.source, *(page.source for page in assignment.pages)}):
        source = assignment.batch.source(ordinal)
        plain = source.facts.get("class", "scan") == "scan" and not source.facts.get("electronic")
        touched = mended and source.kind is SourceKind.PDF
        alone = pdf is None and ordinal == document.source
        if alone or not plain or source.facts.get("findings") or touched:
            yield source


def _pdf(document: Document) -> Rendition | None:
    """Return the most finished PDF there is."""
    for kind in (RenditionKind.PDF, RenditionKind.NOTED, RenditionKind.COMPOSED):
        if kind in document.renditions:
            return document.renditions[kind]
    return None


def _extension(name: str) -> str:
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    return f".{suffix}" if re.fullmatch(r"[a-z0-9]{1,8}", suffix) else ".bin"


def explained(outbox: Path, error: OSError) -> ScanstrasseError:
    """Say who has to act where an outbox cannot be written."""
    message = f"delivery below {outbox}: {error}"
    where = error.filename or outbox
    if error.errno in _FOLDER_FAULTS:
        text = (
            f"Zustellordner {where}: {error.strerror}. Bitte Rechte prüfen; alle Abteilungen "
            f"müssen mit {outbox} auf demselben Dateisystem liegen."
        )
        return UnsafeFolders(message, operator_text=text)
    text = (
        f"Zustellordner {where}: {error.strerror}. Die Zustellung wartet und wird wieder "
        "versucht; bitte Platz und Erreichbarkeit prüfen."
    )
    return StoreUnavailable(message, operator_text=text)
