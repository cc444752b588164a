"""What the events of one chain say about the rows of its batch or document."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import BatchStage, Facts, Stage, UnitKind
from ingest.ledger.confirming import GIVEN, OWED
from ingest.ledger.covering import PAGES_RESCANNED
from ingest.ledger.integrity import ERASED, is_genuine
from ingest.ledger.outputs import Outputs
from ingest.ledger.reviewing import REVIEWED
from ingest.ledger.revising import PAGE_PUT_BACK, SUPERSEDED

Row = sa.Row[Any]

#: Which event makes which stage.
_STAGES: Final[Mapping[UnitKind, Mapping[str, str]]] = {
    UnitKind.BATCH: {
        "received": BatchStage.RECEIVED,
        "inspected": BatchStage.INSPECTED,
        "separated": BatchStage.CLOSED,
    },
    UnitKind.DOCUMENT: {str(stage): stage for stage in Stage},
}


@dataclass(kw_only=True)
class Testimony:
    """What the events of a chain say; of erased payloads nothing is known but their kinds.

    Attributes:
        begun_at: Time of the first event.
        stage: That of the last event which makes one.
        silent: Payloads are gone.
        said: Payload of `received`, `inspected`, `separated` and `captured`, where not gone.
        facts: Digest of the last facts of each step of the unit.
        page_facts: The same for its pages, by number and step.
        renditions: Page number (None for the unit itself), kind and digest of each.
        superseded_by: The revision that took the document's place.
        revisions: Documents that came of putting pages back into this batch or scanning again.
        rescans: What was said of each file that was scanned again, by ordinal of the source.
        quality: The events of quality assurance, in order.
        opened: Digest of the copy a person opened, by ordinal of the source.
        confirming: A supplementary note is owed to the delivered document.
        put_back: Numbers of pages that separation had left out and a person put back.
        outputs: What is said of the rows of renditions.
    """

    begun_at: dt.datetime | None = None
    stage: str | None = None
    erased: bool = False
    rejected: bool = False
    reviewed: bool = False
    silent: bool = False
    said: dict[str, Facts] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    page_facts: dict[tuple[int, str], str] = field(default_factory=dict)
    renditions: set[tuple[int | None, str, str]] = field(default_factory=set)
    superseded_by: str | None = None
    revisions: set[str] = field(default_factory=set)
    rescans: dict[int, Facts] = field(default_factory=dict)
    opened: dict[int, str] = field(default_factory=dict)
    quality: list[Row] = field(default_factory=list)
    confirming: bool = False
    put_back: set[int] = field(default_factory=set)
    outputs: Outputs = field(default_factory=Outputs)


_QUALITY: Final = "quality_"
_KEPT: Final = frozenset({"received", "inspected", "separated", "captured"})


def hear(unit_kind: str, events: Iterable[Row]) -> Testimony:
    """Return what the events of one chain say, given in order."""
    heard = Testimony()
    stages: Mapping[str, str] = _STAGES[UnitKind(unit_kind)]
    for event in events:
        heard.begun_at = heard.begun_at or event.at
        heard.stage = stages.get(event.kind, heard.stage)
        heard.erased |= event.kind == ERASED
        heard.rejected |= event.kind == "rejected"
        # whoever looked before the last checking has not seen what that found
        heard.reviewed = event.kind == REVIEWED or (heard.reviewed and event.kind != Stage.CHECKED)
        if event.kind.startswith(_QUALITY):
            heard.quality.append(event)
        heard.confirming = event.kind == OWED or (heard.confirming and event.kind != GIVEN)
        if event.salt is None or not is_genuine(event):
            heard.silent = True  # what was changed says nothing
        else:
            _payload(heard, event.kind, event.payload)
            heard.outputs.hear(event)
    return heard


def _payload(heard: Testimony, kind: str, said: Facts) -> None:
    if kind in _KEPT:
        heard.said[kind] = said
    _revised(heard, kind, said)
    for known in said.get("recognised", ()):
        _taken_over(heard, known)
    page = said.get("page")
    step = said.get("step", "separation" if kind == "captured" else None)
    if step is not None and "facts_sha256" in said:
        if page is None:
            heard.facts[step] = said["facts_sha256"]
        else:
            heard.page_facts[page, step] = said["facts_sha256"]
    for name, sha256 in said.get("renditions", {}).items():
        heard.renditions.add((page, name, sha256))
    _removed(heard, said)
    heard.opened |= {int(ordinal): sha for ordinal, sha in said.get("opened", {}).items()}


def _revised(heard: Testimony, kind: str, said: Facts) -> None:
    if kind == SUPERSEDED:
        heard.superseded_by = said["document"]
    if kind in (PAGE_PUT_BACK, PAGES_RESCANNED):
        heard.revisions.add(said["document"])
    if kind == PAGE_PUT_BACK:
        heard.put_back.add(said["left_out"]["page"])
    if kind == PAGES_RESCANNED:
        heard.rescans[said["source"]["ordinal"]] = said


def _removed(heard: Testimony, said: Facts) -> None:
    """Hear which intermediate results are not there any more."""
    heard.renditions -= {(None, name, sha256) for name, sha256 in said.get("gone", ())}


def _taken_over(heard: Testimony, known: Facts) -> None:
    """Hear what a revision found recognised when it began."""
    page = known["page"]
    heard.page_facts[page, "recognition"] = known["facts_sha256"]
    if known["words_sha256"] is not None:
        heard.renditions.add((page, "words", known["words_sha256"]))
