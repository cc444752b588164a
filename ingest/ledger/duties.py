"""Do the rows still say who has to look at what before a document goes on? Part of `agreement`.

Whether a document waits for a sample, what has to match and under which need follows from its
class; which pages need a verdict of their own, from what checking found (BSI TR-03138 V1.5,
A.SC.8). Nothing of it may be less than that, and no verdict stand where nobody judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Step
from ingest.ledger import quality, reviewing
from ingest.ledger.surroundings import Surroundings
from profiles.protection import Need, highest

Row = sa.Row[Any]
_OF_VERDICT: Final = (
    "judged_by",
    "role",
    "visual",
    "content",
    "good",
    "reason",
    "seen_sha256",
    "apart",
)


def of_document(row: Row, around: Surroundings) -> Iterator[str]:
    """Yield in what a document's row of quality assurance is not what its class asks for.

    Args:
        row: Of the document, which is not erased; its facts are compared elsewhere.
        around: With its batch, the profiles of both and its place in quality assurance.
    """
    member, batch = around.members.get(row.id), around.batches.get(row.batch_id)
    if batch is None:
        return
    if member is not None:
        yield from _unjudged(member)
    content = around.profiles.get((row.tenant, row.profile_sha256 or batch.profile_sha256))
    if content is not None:
        yield from _asked(row, batch, member, content, sampled=row.batch_id in around.samples)


def _asked(
    row: Row, batch: Row, member: Row | None, content: Facts, *, sampled: bool
) -> Iterator[str]:
    rules = quality.rules_of(content)
    if member is None:
        if sampled and rules is not None and rules.quality.check == quality.BEFORE_DELIVERY:
            yield "Qualitätssicherung: Der Eintrag des Dokuments fehlt"
    elif rules is None:
        yield "Qualitätssicherung: Die Klasse des Dokuments verlangt keine"
    else:
        yield from _member(row, batch, member, rules)


def _member(row: Row, batch: Row, member: Row, rules: quality.Rules) -> Iterator[str]:
    check = rules.quality.check
    if (member.tenant, member.batch_id, member.rule) != (row.tenant, row.batch_id, check):
        yield "Qualitätssicherung: Regel oder Einlieferung sind nicht die des Dokuments"
    if member.match != rules.quality.match:
        yield "Qualitätssicherung, match: nicht, was die Klasse verlangt"
    before = check == quality.BEFORE_DELIVERY
    if member.need not in _needs(batch, rules, before=before):
        yield "Qualitätssicherung, need: nicht, was die Klasse verlangt"
    if member.flagged != (reviewing.flagged(row.facts) if Step.CHECKING in row.facts else []):
        yield "Qualitätssicherung, flagged: nicht die Seiten, die die Prüfung gekennzeichnet hat"
    if not before and (member.selected, member.why) != (1, "clerk"):
        yield "Qualitätssicherung: nicht als Ergebnis der Sachbearbeitung gezeichnet"


def _needs(batch: Row, rules: quality.Rules, *, before: bool) -> set[Need]:
    """Return the needs that a row may have: a clerk's result is also under that of its batch."""
    if before:
        return {rules.need}
    own = (batch.protection or {}).get("integrity", rules.need)
    return {rules.need, highest(iter([rules.need, own]))}


def _unjudged(member: Row) -> Iterator[str]:
    if member.judged_at is not None:
        return
    said = [name for name in _OF_VERDICT if getattr(member, name) is not None]
    if said or member.pages:
        names = ", ".join(said or ["pages"])
        yield f"Urteil der Qualitätssicherung, {names}: niemand hat geurteilt"
