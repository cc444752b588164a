"""A one-page letter as the ledger sees it: its arrival and what each step finds.

Facts, settings and renditions have the shape and size of those of a real letter on its way
through the shipped default profile; only the digests are drawn anew for each letter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import profiles
from ingest.document import (
    Envelope,
    Facts,
    FoundPage,
    Outcome,
    Part,
    Priority,
    Rendition,
    RenditionKind,
    Source,
    SourceKind,
    Step,
)
from ingest.ledger import Arrival

_PROFILE = profiles.load("posteingang")
_CONTENT = _PROFILE.profile.model_dump(mode="json")
_MODEL = hashlib.sha256(b"model").hexdigest()
_CERTIFICATE = hashlib.sha256(b"certificate").hexdigest()
_PDFIUM = "pdfium 159.0.8149.0@sourcebuild-toolchained"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What a channel hands over and, by step, what the steps will hand back."""

    arrival: Arrival
    outcomes: Mapping[Step, Outcome]


def letter(name: str, priority: Priority = Priority.TODAY) -> Letter:
    """Return the letter of this name; equal names are the same letter."""
    scan = _digest(name, "scan")
    found = Source(
        ordinal=1,
        name=f"{name}.jpg",
        name_base64="bGV0dGVyLTAuanBn",
        sha256=scan,
        size=754_164,
        kind=SourceKind.JPEG,
        pages=1,
        facts=_SOURCE,
    )
    arrived = Source(
        ordinal=1, name=found.name, name_base64=found.name_base64, sha256=scan, size=found.size
    )
    arrival = Arrival(
        receipt_key=_digest(name, "receipt"),
        tenant="default",
        envelope=Envelope(profile="posteingang", operator="op17"),
        profile=_CONTENT,
        profile_sha256=_PROFILE.sha256,
        priority=int(priority),
        sources=(arrived,),
    )
    return Letter(arrival=arrival, outcomes=MappingProxyType(_outcomes(name, scan, found)))


def _digest(name: str, what: str) -> str:
    return hashlib.sha256(f"{name}/{what}".encode()).hexdigest()


def _outcomes(name: str, scan: str, found: Source) -> dict[Step, Outcome]:
    page = FoundPage(source=1, index=0, sha256=scan, facts=_PAGE)
    noted, composed = _digest(name, "noted"), _digest(name, "composed")

    def made(
        kind: RenditionKind, size: int, media_type: str, parent: str, tool: str, settings: Facts
    ) -> Rendition:
        return Rendition(
            kind=kind,
            sha256=_digest(name, kind),
            size=size,
            media_type=media_type,
            parent_sha256=parent,
            tool=tool,
            settings=settings,
        )

    composition, note = "scanstrasse composition/1 (pikepdf 10.17.0)", "scanstrasse note/1"
    kind, pdf = RenditionKind, "application/pdf"
    words = made(kind.WORDS, 12_943, _WORDS, scan, "tesseract 5.5.4", _RECOGNISED_WITH)
    text = made(kind.TEXT, 1_280, "text/plain; charset=utf-8", scan, composition, {})
    whole = made(kind.COMPOSED, 763_270, pdf, scan, composition, {"rung": "image", "pdfa": "3b"})
    note_xml = made(kind.NOTE, 3_232, "text/xml", composed, note, {})
    with_note = made(kind.NOTED, 765_176, pdf, composed, note, {"pdfa": "3b"})
    sealed = made(
        kind.PDF, 774_672, pdf, noted, "scanstrasse sealing/1, pyHanko 0.38.0", _SEALED_WITH
    )
    beside = made(kind.SIDECAR, 1_439, "application/json", scan, "scanstrasse delivery/1", _SCHEMA)
    return {
        Step.INSPECTION: Outcome(facts=_INSPECTION, sources=(found,), pages=(page,)),
        Step.EXAMINATION: Outcome(facts=_EXAMINATION),
        Step.SEPARATION: Outcome(facts=_SEPARATION, parts=(Part(pages=(1,), source=1),)),
        Step.RECOGNITION: Outcome(facts=_RECOGNITION, renditions=(words,)),
        Step.COMPOSITION: Outcome(facts=_COMPOSITION, renditions=(text, whole)),
        Step.CHECKING: Outcome(facts=_CHECKING),
        Step.NOTE: Outcome(facts=_NOTE, renditions=(note_xml, with_note)),
        Step.SEALING: Outcome(facts=_SEALING, renditions=(sealed,)),
        Step.ROUTING: Outcome(facts=_ROUTING),
        Step.DELIVERY: Outcome(facts=_delivery(name), renditions=(beside,)),
    }


def _delivery(name: str) -> Facts:
    stem = f"{name}-01a203a6-10b2-7000-afee-e1f8cf4a0006"
    return {
        "target": "folder",
        "path": "/var/lib/scanstrasse/outbox/bauamt",
        "delivered_at": "2026-11-22T14:25:46.758368+00:00",
        "stem": stem,
        "files": {
            f"{stem}.pdf": _digest(name, RenditionKind.PDF),
            f"{stem}.json": _digest(name, RenditionKind.SIDECAR),
        },
    }


def _check(name: str, value: object, threshold: object, detector: str) -> Facts:
    return {
        "name": name,
        "value": value,
        "threshold": threshold,
        "passed": True,
        "detector": detector,
    }


_WORDS = "application/vnd.scanstrasse.words+json"
_SCHEMA: Facts = {"schema": "urn:scanstrasse:sidecar:1"}
_SEALED_WITH: Facts = {"level": "B-B", "kind": "installation"}
_RECOGNISED_WITH: Facts = {
    "languages": ["deu"],
    "model": _MODEL,
    "orientation": True,
    "pixels": 40_000_000,
}
_SOURCE: Facts = {
    "electronic": False,
    "class": "scan",
    "signed": False,
    "signatures": 0,
    "encrypted": False,
    "attachments": [],
    "as_is": False,
    "findings": [],
}
_PAGE: Facts = {
    "width": 2480,
    "height": 3508,
    "text": False,
    "dpi": [300.0, 300.0],
    "media_type": "image/jpeg",
}
_INSPECTION: Facts = {"pages": 1, "detector": "inspection/1"}
_EXAMINATION: Facts = {
    "width": 2480,
    "height": 3508,
    "dpi": [300.0, 300.0],
    "dpi_source": "file",
    "mode": "L",
    "blank": False,
    "components": 709,
    "codes": [],
    "patch": None,
    "separator": None,
    "separator_suspect": False,
    "asn": None,
    "asn_refused": None,
    "undecodable": None,
    "orientation": 0,
    "detector": "separation/1",
}
_SEPARATION: Facts = {"omitted": [], "detector": "separation/1", "findings": []}
_RECOGNITION: Facts = {
    "engine": "tesseract 5.5.4",
    "model": _MODEL,
    "languages": ["deu"],
    "words": 176,
    "characters": 1073,
    "confidence": 95.1,
    "orientation": 0,
    "anomaly": None,
    "native_text": False,
}
_COMPOSITION: Facts = {"pdfa": "3b", "rung": "image", "findings": [], "pages": 1, "words": 176}
_CHECKING: Facts = {
    "checks": [
        _check("pdfa", "3b", "3b", "pikepdf.pdfa"),
        _check("page_count", 1, 1, _PDFIUM),
        _check("pages_shown", 1, 1, _PDFIUM),
        _check("resolution", 300.0, 200, "checking/1"),
        _check("text_confidence", 95.1, 60.0, "checking/1"),
    ],
    "anomalies": [],
}
_NOTE: Facts = {
    "note_id": "01a203a6-168e-7cbd-b5f5-8122810aaa96",
    "created_at": "2026-11-22T14:25:46.126393+00:00",
    "received_at": None,
    "received_at_source": None,
    "attached": True,
    "pdfa": "3b",
    "anomalies": [],
    "findings": [],
}
_SEALING: Facts = {
    "level": "B-B",
    "kind": "installation",
    "certificate_sha256": _CERTIFICATE,
    "subject": "2.5.4.5=946be13aa79d0c9d,CN=Scanstraße Installationssignatur (Demo)",
    "not_valid_after": "2036-11-21T14:20:43+00:00",
    "tsa": None,
}
_ROUTING: Facts = {
    "department": "bauamt",
    "rule": "rules.0.case_reference",
    "reason": "Aktenzeichen „BA-2026-815118“ auf der ersten Seite.",
    "case_reference": "BA-2026-815118",
}
