"""Binding the note to the PDF: attachment and catalog entry, or its identifier in the XMP.

In PDF/A-3b the note is an associated file (AFRelationship Supplement), so that every viewer
shows it and the later seal covers image, text and note together. PDF/A-2b takes no such file:
there `dc:relation` names the note that lies beside. XMP holds only properties that PDF/A
predefines; everything else is in the note.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pikepdf
from pikepdf import pdfa

#: Entries of the information dictionary that could carry a person, and their XMP twins.
_PERSONAL: Final = ("/Author", "/Keywords")
_PERSONAL_XMP: Final = ("dc:creator", "dc:contributor", "pdf:Keywords")


@dataclass(frozen=True, kw_only=True)
class XmpFields:
    """The predefined properties that describe the document.

    Attributes:
        created_at: The time of the scan; None leaves `xmp:CreateDate` as it is.
        own_scan: Personal entries are removed from what we made ourselves; in a foreign file
            author and keywords are its content and stay.
        note: Identifier of the note where that lies beside the file, None where it is inside.
    """

    identifier: str
    title: str
    source: str
    publisher: str
    creator_tool: str
    created_at: dt.datetime | None
    own_scan: bool
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A note to be put inside, and what viewers show of it."""

    content: bytes
    filename: str
    name: str


class NotConforming(Exception):
    """The PDF with its note would not be valid PDF/A; nothing was written."""


def attach(
    composed: Path, note: Attachment | None, fields: XmpFields, target: Path, flavour: str = "3b"
) -> None:
    """Write `composed` with its description, and the `note` inside, to `target`, validated.

    Args:
        composed: PDF without a note.
        note: None where it lies beside the file.
        fields: Go into the XMP.
        target: Is made.
        flavour: `3b` or, without a note inside, `2b`.

    Raises:
        NotConforming: `target` does not exist; the message lists the first findings.
    """
    try:
        with pikepdf.open(composed) as pdf:
            if note is not None:
                _attach_file(pdf, note)
            _describe(pdf, fields)
            pdfa.save(pdf, target, flavour)
    except pdfa.PdfaError as error:
        raise NotConforming(error.report.summary(limit=5)) from error
    except (pikepdf.PdfError, pikepdf.DataDecodingError, ValueError) as error:
        raise NotConforming(f"{type(error).__name__}: {error}") from error


def _attach_file(pdf: pikepdf.Pdf, note: Attachment) -> None:
    specification = pikepdf.AttachedFileSpec(  # type: ignore[call-arg] # the stub lacks relationship
        pdf,
        note.content,
        filename=note.filename,
        mime_type="text/xml",
        description=note.name,
        relationship=pikepdf.Name.Supplement,
    )
    pdf.attachments[note.filename] = specification
    attached = pdf.attachments[note.filename].obj
    associated = [] if "/AF" not in pdf.Root else list(pdf.Root.AF.as_list())
    # PDF/A-3 wants the file associated (6.8-4); not every release of pikepdf does that itself.
    if all(one.objgen != attached.objgen for one in associated):
        pdf.Root.AF = pikepdf.Array([*associated, attached])


def _describe(pdf: pikepdf.Pdf, fields: XmpFields) -> None:
    if fields.own_scan:
        _remove_persons(pdf)
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["dc:identifier"] = fields.identifier
        if fields.own_scan or "dc:title" not in metadata:
            metadata["dc:title"] = fields.title
        metadata["dc:source"] = fields.source
        metadata["dc:publisher"] = [fields.publisher]
        metadata["xmp:CreatorTool"] = fields.creator_tool
        if fields.note is not None:
            metadata["dc:relation"] = {fields.note}
        if fields.created_at is not None:
            metadata["xmp:CreateDate"] = fields.created_at.isoformat(timespec="seconds")


def _remove_persons(pdf: pikepdf.Pdf) -> None:
    for key in _PERSONAL:
        if key in pdf.docinfo:
            del pdf.docinfo[key]
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        for key in _PERSONAL_XMP:
            if key in metadata:
                del metadata[key]
