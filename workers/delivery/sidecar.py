"""The sidecar: what a clerk or a receiving system must know about a delivered document.

Versioned JSON, described by `workers/schemas/sidecar-1.json`. What nobody recorded is
written "nicht erfasst"; people appear as operator codes only.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest.document import (
    NOT_APPLICABLE,
    NOT_RECORDED,
    PUT_BACK,
    Assignment,
    Document,
    Facts,
    signatures,
)

SCHEMA: Final = "urn:scanstrasse:sidecar:1"
_SIGNATURE: Final = (
    "format", "level", "indication", "subindication", "signer", "claimed_at", "proven_at",
    "modification", "look", "text",
)  # fmt: skip
_SEALS: Final[Mapping[object, str]] = MappingProxyType(
    {"installation": "Installationssignatur (Demo)", "organisation": "Siegel"}
)


def sidecar(
    assignment: Assignment,
    document: Document,
    outputs: Mapping[str, Facts],
    delivered_at: dt.datetime,
    zone: dt.tzinfo,
) -> bytes:
    """Return the sidecar as UTF-8 JSON; `outputs` are name and digest of each file by kind."""
    batch, envelope = assignment.batch, assignment.envelope
    note = document.facts.get("note", {})
    routing = document.facts.get("routing", {})
    source = batch.source(document.source)
    inside = source.enclosure_of is not None
    content = {
        "schema": SCHEMA,
        "document": document.id,
        "revision": document.revision,
        "batch": batch.id,
        "tenant": assignment.tenant,
        "received_at": note.get("received_at") or _unknown_receipt(assignment),
        "received_at_source": note.get("received_at_source") or _unknown_receipt(assignment),
        "registered_at": _moment(batch.registered_at, zone),
        "scanned_at": _moment(envelope.scanned_at, zone),
        "delivered_at": _moment(delivered_at, zone),
        "channel": envelope.channel,
        "operator": envelope.operator or NOT_RECORDED,
        "device": envelope.device or NOT_RECORDED,
        "profile": {
            "name": assignment.profile["name"],
            "version": assignment.profile["version"],
            "sha256": assignment.profile_sha256,
        },
        "treatment": note.get("treatment", "kopierend"),
        "department": routing["department"],
        "rule": routing["rule"],
        "routing_reason": routing["reason"],
        "case_reference": routing.get("case_reference"),
        "pages": len(assignment.pages),
        "source": {"name": source.name, "sha256": source.sha256, "pages": source.pages},
        "source_pages": [] if inside else [page.number for page in assignment.pages],
        **_links(assignment, document),
        "outputs": dict(outputs),
        "seal": _seal(document),
        "findings": _findings(document),
        "anomalies": note.get("anomalies", []),
        **_signatures(assignment, document),
        **_revised(document, zone),
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


def _revised(document: Document, zone: dt.tzinfo) -> Facts:
    """Say what a later revision takes the place of, and which pages a person put back, and why."""
    if not document.supersedes:
        return {}
    earlier = document.supersedes[0]
    pages = [
        {
            "page": entry["page"],
            "kind": entry["kind"],
            "operator": entry["by"],
            "reason": entry["reason"],
            "at": _moment(dt.datetime.fromisoformat(entry["at"]), zone),
        }
        for entry in document.facts.get("separation", {}).get(PUT_BACK, [])
    ]
    return {
        "supersedes": {"document": earlier.id, "revision": earlier.revision},
        "put_back": pages,
    }


def _links(assignment: Assignment, document: Document) -> Facts:
    """Return what lay inside what: of an enclosure its cover, of a cover its enclosures."""
    hints = document.facts.get("separation", {})
    found: Facts = {}
    if link := hints.get("enclosure_of"):
        cover = assignment.batch.source(link["source"])
        named = {"name": cover.name, "sha256": cover.sha256}
        found["enclosure_of"] = {"document": link["document"], **named}
        found["enclosure_pages"] = [page.index + 1 for page in assignment.pages]
    if enclosed := hints.get("enclosed"):
        found["enclosures"] = enclosed
    return found


def _signatures(assignment: Assignment, document: Document) -> Facts:
    """Say what was found about the signatures of the document's files; nothing if there are none.

    What a person must look at is said by `look`, why by the text.
    """
    ordinals = {document.source, *(page.source for page in assignment.pages)}
    found = [
        {name: one[name] for name in _SIGNATURE} | {"qualified": one["qualified"]["answer"]}
        for ordinal in sorted(ordinals)
        for one in signatures(assignment.batch.source(ordinal).facts)
    ]
    return {"signatures": found} if found else {}


def _seal(document: Document) -> Facts:
    facts = document.facts.get("sealing", {})
    return {
        "kind": _SEALS.get(facts.get("kind"), "keine"),
        "level": facts.get("level"),
        "certificate_sha256": facts.get("certificate_sha256"),
        "reason": facts.get("reason"),
    }


def _findings(document: Document) -> list[str]:
    found = list(document.facts.get("note", {}).get("findings", []))
    reason = document.facts.get("sealing", {}).get("reason")
    if reason:
        wanted = document.facts["sealing"].get("wanted")
        found.append(
            f"Ohne {'Siegel' if wanted == 'organisation' else 'Installationssignatur'}: {reason}."
        )
    return found


def _unknown_receipt(assignment: Assignment) -> str:
    existing = assignment.profile["intake"]["received_at"] == "not_applicable"
    return NOT_APPLICABLE if existing else NOT_RECORDED


def _moment(moment: dt.datetime | None, zone: dt.tzinfo) -> str:
    return NOT_RECORDED if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")
