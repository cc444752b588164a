"""Do the rows of quality assurance still say what the events say? Part of `agreement`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import drawing, quality, sampler
from ingest.ledger.judgement import JUDGED

Row = sa.Row[Any]

_COMMITTED: Final = ("profile", "need", "share", "minimum", "clean_batches", "seed_sha256")
_VERDICT: Final = ("visual", "content", "good", "apart", "role", "pages", "reason", "seen_sha256")


def of_batch(sample: Row | None, members: Sequence[Row], events: Sequence[Row]) -> Iterator[str]:
    """Yield what a batch's rows say otherwise than its events.

    Args:
        sample: The row of its quality assurance, None without.
        members: Of its documents under it.
        events: Those of its chain about it, in order.
    """
    if sample is None or not events:
        if sample is not None or events:
            yield "Qualitätssicherung: Eintrag und Ereignisse sind nicht beide da"
        return
    yield from _course(sample, events)
    if all(event.salt is not None for event in events):  # erased ones say nothing any more
        yield from _drawn(sample, members, events)


def _course(sample: Row, events: Sequence[Row]) -> Iterator[str]:
    if sample.tenant != events[0].tenant:
        yield f"Qualitätssicherung: gehört nicht zum Mandanten {events[0].tenant}"
    state = None
    for event in events:
        state = quality.state_after(event.kind, state)
    if sample.state != state:
        yield f"Qualitätssicherung: Stand {sample.state}, Kette {state}"
    if sample.faults != sum(event.kind == quality.STOPPED for event in events):
        yield "Qualitätssicherung: Zahl der Mängel ist nicht die der Ereignisse"
    times = {quality.COMMITTED: sample.committed_at, quality.OPENED: sample.opened_at}
    for kind, at in (times | {quality.CLOSED: sample.closed_at}).items():
        if at != max((event.at for event in events if event.kind == kind), default=None):
            yield f"Qualitätssicherung: Zeitpunkt ist nicht der des Ereignisses {kind}"


def _drawn(sample: Row, members: Sequence[Row], events: Sequence[Row]) -> Iterator[str]:
    said = {event.kind: event.payload for event in events}
    committed = said[quality.COMMITTED]
    for name in _COMMITTED:
        if getattr(sample, name) != committed[name]:
            yield f"Qualitätssicherung, {name}: nicht, was festgelegt wurde"
    if sampler.commitment(sample.seed) != committed["seed_sha256"]:
        yield "Qualitätssicherung: Der Startwert der Stichprobe ist nicht der festgelegte"
    if not set(committed["documents"]) <= {member.document_id for member in members}:
        yield "Qualitätssicherung: Einträge von Dokumenten fehlen"
    yield from _selected(members, _named(events))
    if opened := said.get(quality.OPENED):
        yield from _reproduced(sample, opened)
        yield from _substituted(opened["seed"], events)


def _selected(members: Sequence[Row], named: Mapping[str, str]) -> Iterator[str]:
    selected = {member.document_id for member in members if member.selected}
    if selected != named.keys():
        yield "Qualitätssicherung: Anzusehen sind andere Dokumente, als die Ereignisse nennen"
    for member in members:
        why = named.get(member.document_id)
        if (member.selected, member.why) != (int(why is not None), why):
            yield f"Qualitätssicherung, {member.document_id}: nicht so ausgewählt"


def _reproduced(sample: Row, opened: Facts) -> Iterator[str]:
    found = (sample.population, sample.size, sample.applied, sample.seed)
    told = (len(opened["population"]), opened["size"], opened["share"], opened["seed"])
    if found != told:
        yield "Qualitätssicherung: Umfang der Stichprobe ist nicht der des Ereignisses"
    drawn = sorted(sampler.order(opened["seed"], opened["population"])[: opened["size"]])
    if [int(ordinal) for ordinal in opened["drawn"]] != drawn:
        yield "Qualitätssicherung: Die Stichprobe folgt nicht aus ihrem Startwert"


def _substituted(seed: str, events: Sequence[Row]) -> Iterator[str]:
    for event in events:
        said = event.payload
        if event.kind != drawing.ADDED or said["why"] != drawing.REPLACED:
            continue
        drawn = sorted(sampler.order(seed, said["rest"])[: len(said["drawn"])])
        if said["drawn"] != drawn or len(said["documents"]) != len(drawn):
            yield "Qualitätssicherung: Nachgezogene Dokumente folgen nicht aus dem Startwert"


def _named(events: Sequence[Row]) -> dict[str, str]:
    """Return which documents are to be looked at, and why."""
    named: dict[str, str] = {}
    for event in events:
        said = event.payload
        if event.kind == quality.OPENED:
            named |= dict.fromkeys(said["drawn"].values(), "sample")
            named |= dict.fromkeys(said["flagged"].values(), "flagged")
        elif event.kind == drawing.ADDED:
            named |= dict.fromkeys(said["documents"], said["why"])
        elif event.kind == quality.RESUMED:
            why = "complete" if said["full"] else "sample"
            named |= dict.fromkeys(said["documents"], why)
    return named


def of_document(
    member: Row | None, viewed: AbstractSet[tuple[str, int]], events: Sequence[Row]
) -> Iterator[str]:
    """Yield what a document's verdict says otherwise than its last event about one.

    Args:
        member: The document's row, None without.
        viewed: Who looked at which page, by code and number.
        events: Those of its chain about verdicts, in order.
    """
    last = next((event for event in reversed(events) if event.kind == JUDGED), None)
    judged = member is not None and member.judged_at is not None
    if judged != (last is not None):
        yield "Urteil der Qualitätssicherung: Eintrag und Ereignis sind nicht beide da"
    if member is None or last is None:
        return
    if (member.judged_at, member.judged_by) != (last.at, last.actor):
        yield "Urteil der Qualitätssicherung: Person oder Zeit sind nicht die des Ereignisses"
    if last.salt is None:
        return
    for name in _VERDICT:
        if getattr(member, name) != last.payload[name]:  # 1 == True
            yield f"Urteil der Qualitätssicherung, {name}: nicht, was das Ereignis sagt"
    if not {(last.actor, page) for page in last.payload["viewed"]} <= viewed:
        yield "Urteil der Qualitätssicherung: Angesehene Seiten sind nicht die des Ereignisses"
