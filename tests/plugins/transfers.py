"""Replacing scans before their note: everything known that a transfer note has to say."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pikepdf

from ingest.document import Assignment, Envelope, Facts, RenditionKind, Step
from tests.plugins.letters import Desk, after, image_pdf, of, with_facts
from workers import note

SCANNED = dt.datetime(2026, 2, 27, 9, 30, 5, tzinfo=dt.UTC)
ENVELOPE = Envelope(
    profile="ersetzend-normal",
    operator="ps-07",
    received_at=dt.datetime(2026, 2, 26, 23, 0, tzinfo=dt.UTC),
    received_at_source="batch.json",
    scanned_at=SCANNED,
    device="Scanner 12",
    storage_place="Regal 3",
    expected_sheets=1,
)
PROCEDURE: Facts = {
    "name": "Verfahrensdokumentation Scanstelle",
    "edition": "Posteingang",
    "version": "2.1",
    "as_of": "2026-01-15",
    "maintainer": "Organisationsreferat",
    "sha256": "ab" * 32,
}
SAMPLE: Facts = {
    "size": 3,
    "population": 40,
    "share": 0.04,
    "seed": "c0ffee",
    "committed_at": "2026-02-27T10:00:00+00:00",
    "closed_at": "2026-02-27T11:00:00+00:00",
    "detection": {"0.01": 0.03, "0.05": 0.1426},
}
VERDICT: Facts = {
    "by": "qs-03",
    "role": "checker",
    "at": "2026-02-27T10:40:00+00:00",
    "visual": True,
    "content": True,
    "pages": [1],
}
RELEASED: Facts = {
    "annex_sha256": "cd" * 32,
    "released_by": "ltg-1",
    "released_at": "2026-01-20T08:00:00+00:00",
}
CAPTURE: Facts = {
    "root": "ef" * 32,
    "pages": 1,
    "stamped_at": "2026-02-27T09:31:00+00:00",
    "authority": "Testdienst",
    "token_sha256": "01" * 32,
}


def sampled(**changes: Any) -> Facts:
    """Return the check of a batch whose sample was passed, this document not among it."""
    return {
        "rule": "before_delivery",
        "state": "passed",
        "mode": "sample",
        "need": "normal",
        "selected": False,
        "sample": SAMPLE,
        "verdict": None,
        "checked_by": ["qs-03"],
        "rescanned": [],
        **changes,
    }


def by_clerk(**changes: Any) -> Facts:
    """Return the check that a clerk will make after delivery."""
    rule = {"rule": "by_clerk", "state": "pending", "mode": "clerk", "sample": None}
    return sampled(**{**rule, **changes})


def replacing(desk: Desk, quality: Facts | None = None, **changes: Any) -> Assignment:
    """Return a replacing scan ready for its note; `changes` are fields of the assignment."""
    envelope = changes.pop("envelope", ENVELOPE)
    pages = changes.pop("count", 1)
    texts = tuple(f"Seite {number}" for number in range(1, pages + 1))
    assignment = desk.letter(
        composed=image_pdf(pages), envelope=envelope, profile="ersetzend-normal", texts=texts
    )
    profile = {
        **assignment.profile,
        "procedure": PROCEDURE,
        "legal_basis": "§ 7 EGovG Musterland",
        **changes.pop("profile", {}),
    }
    assignment = with_facts(assignment, checking={"checks": []})
    return dataclasses.replace(
        assignment,
        **{
            "profile": profile,
            "quality": sampled() if quality is None else quality,
            "procedure": RELEASED,
            "captures": ({**CAPTURE, "images": list(range(1, pages + 1))},),
            "registered": frozenset({"ps-07", "qs-03", "sb-11"}),
            **changes,
        },
    )


def noted(desk: Desk, assignment: Assignment) -> Assignment:
    """Return the assignment of the sealing that follows its note."""
    return after(assignment, Step.NOTE, note.perform(assignment, desk.context()), Step.SEALING)


def with_own_key(assignment: Assignment) -> Assignment:
    """Return the assignment with a seal that needs neither token nor authority."""
    rules = {"key": "installation", "timestamp": False, "level": "B-B", "stamp": "none"}
    sealing = {**assignment.profile["sealing"], **rules}
    return dataclasses.replace(assignment, profile={**assignment.profile, "sealing": sealing})


def rewritten(
    desk: Desk, assignment: Assignment, change: Callable[[str], str], *, inside: bool = True
) -> Assignment:
    """Return the assignment with `change` applied to its note, kept and inside the PDF."""
    document = of(assignment)
    kept = document.renditions[RenditionKind.NOTE]
    altered = change(desk.context().read(kept.sha256).decode()).encode()
    renditions = {
        **document.renditions,
        RenditionKind.NOTE: desk.rendition(RenditionKind.NOTE, altered, "text/xml"),
    }
    if inside:
        content = desk.context().read(document.renditions[RenditionKind.NOTED].sha256)
        with pikepdf.open(io.BytesIO(content)) as pdf:
            pdf.attachments["transfervermerk.xml"] = altered
            stream = io.BytesIO()
            pdf.save(stream)
        renditions[RenditionKind.NOTED] = desk.rendition(
            RenditionKind.NOTED, stream.getvalue(), "application/pdf"
        )
    document = dataclasses.replace(document, renditions=renditions)
    return dataclasses.replace(assignment, document=document)
