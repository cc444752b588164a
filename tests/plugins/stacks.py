"""Driving inspection, examination and separation on plain files, without a ledger."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import profiles
from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Batch,
    BatchStage,
    Envelope,
    FoundPage,
    Outcome,
    Page,
    Sides,
    Source,
    Step,
    UnitKind,
)
from ingest.settings import Settings
from ingest.store import FolderStore
from workers import inspection
from workers.separation import cutting, examination

_ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SCANSTRASSE_CORPUS", _ROOT.parent / "shared" / "corpus"))
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus folder here")


@dataclass(kw_only=True)
class Stack:
    """One batch on its way through the first three steps."""

    folder: Path
    paths: Sequence[Path]
    profile: str = "posteingang"
    released: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, object] = field(default_factory=dict)  #: in place of the profile's
    house: Path | None = None
    expected_sheets: int | None = None
    expected_consignments: int | None = None
    sides: Sides | None = None
    received_at: dt.datetime | None = None
    channel: str = "folder"
    attempt: int = 1
    validation: Mapping[str, object] = field(default_factory=dict)  #: settings
    sources: tuple[Source, ...] = ()
    pages: tuple[Page, ...] = ()

    @property
    def context(self) -> StepContext:
        """What the steps may use."""
        return StepContext(
            store=FolderStore(self.folder / "store"),
            tenant="default",
            workspace=self.folder,
            settings=Settings(
                data=self.folder, profiles=self.house, validation=dict(self.validation)
            ),
        )

    def assignment(self, step: Step, pages: tuple[Page, ...] = ()) -> Assignment:
        """Return the assignment of the batch, or of a page of it."""
        loaded = profiles.load(self.profile)
        content = loaded.facts()
        content["separation"] |= self.rules
        batch = Batch(
            id="batch",
            tenant="default",
            stage=BatchStage.RECEIVED,
            envelope=Envelope(
                profile=self.profile,
                channel=self.channel,
                expected_sheets=self.expected_sheets,
                expected_consignments=self.expected_consignments,
                sides=self.sides,
                received_at=self.received_at,
            ),
            registered_at=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
            sources=self.sources,
        )
        return Assignment(
            step=step,
            unit_kind=UnitKind.PAGE if step is Step.EXAMINATION else UnitKind.BATCH,
            unit_id="unit",
            tenant="default",
            idempotency_key="key",
            attempt=self.attempt,
            profile=content,
            profile_sha256=loaded.sha256,
            batch=batch,
            pages=pages,
            released=dict(self.released),
        )

    def inspect(self) -> Outcome:
        """Store the files and inspect them."""
        context = self.context
        blobs = [context.keep(path) for path in self.paths]
        self.sources = tuple(
            Source(
                ordinal=number, name=path.name, name_base64="", sha256=blob.sha256, size=blob.size
            )
            for number, (path, blob) in enumerate(zip(self.paths, blobs, strict=True), 1)
        )
        outcome = inspection.perform(self.assignment(Step.INSPECTION), context)
        context.close()
        self.sources = outcome.sources
        self.pages = tuple(_numbered(outcome.pages))
        return outcome

    def examine(self) -> None:
        """Examine every page."""
        context = self.context
        examined = []
        for page in self.pages:
            assignment = self.assignment(Step.EXAMINATION, (page,))
            facts = json.loads(json.dumps(examination.perform(assignment, context).facts))
            examined.append(with_facts(page, examination=facts))
        context.close()
        self.pages = tuple(examined)

    def separate(self) -> Outcome:
        """Cut the stack."""
        return cutting.perform(self.assignment(Step.SEPARATION, self.pages), self.context)

    def cut(self) -> Outcome:
        """Do all three steps."""
        self.inspect()
        self.examine()
        return self.separate()


def with_facts(page: Page, **facts: object) -> Page:
    """Return `page` with more facts."""
    return Page(
        id=page.id,
        number=page.number,
        source=page.source,
        index=page.index,
        sha256=page.sha256,
        facts={**page.facts, **facts},
    )


def documents(outcome: Outcome) -> list[list[int]]:
    """Return the page numbers of each document."""
    return [list(part.pages) for part in outcome.parts]


def omitted(outcome: Outcome, kind: str) -> list[int]:
    """Return the numbers of the pages left out for one reason."""
    return [entry["page"] for entry in outcome.facts["omitted"] if entry["kind"] == kind]


def _numbered(found: Sequence[FoundPage]) -> Iterator[Page]:
    for number, page in enumerate(found, 1):
        yield Page(
            id=f"page-{number}",
            number=number,
            source=page.source,
            index=page.index,
            sha256=page.sha256,
            facts={"inspection": page.facts},
        )


#: Makes a stack of files given as bytes, in order; options are those of `Stack`.
Stacked = Callable[..., Stack]
