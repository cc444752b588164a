"""A small house whose documents take the real way, all steps in this process.

No watch folder and no child processes: files are accepted, then the pipeline runs until
nothing is left to do. What comes out is what an installation would have made.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import profiles
from ingest.document import Assignment, Envelope, Outcome, Priority, Queue, Source
from ingest.ledger import Arrival
from ingest.ledger.integrity import anchor
from ingest.pipeline import Pipeline
from ingest.settings import Settings
from ingest.store import open_store
from tests.plugins.authority import Authority, root_file
from tests.plugins.emptied import empty_ledger
from workers.evidence.preservation import Preservation
from workers.execution import ASSIGNMENT, OUTCOME, prepare
from workers.exhaustion import EXHAUSTED
from workers.sealing import ensure_installation_key

ORGANISATION = "Stadt Musterhausen"


class Bureau:
    """A ledger and a store in a folder, with an authority for timestamps if one is given."""

    def __init__(self, folder: Path, authority: Authority | None = None, token: Any = None) -> None:
        sealing: dict[str, Any] = {} if token is None else {"token": token}
        self._rules = {} if token is None else {"key": "organisation"}
        if authority is not None:
            sealing |= {"tsa_url": authority.url, "tsa_roots": root_file(authority, folder)}
        self.settings = Settings(
            data=folder / "data", house={"organisation": ORGANISATION}, sealing=sealing
        )
        ensure_installation_key(self.settings.keys)
        self.ledger = empty_ledger(self.settings.data / "ledger.sqlite")
        self.store = open_store(self.settings)
        self._serve = prepare({"settings": self.settings.for_children(sealing=True)})
        self._spool = folder / "spool"
        self._spool.mkdir()

    def take(self, files: Mapping[str, bytes], **envelope: Any) -> str:
        """Accept files as one batch, take them to the end and return its id."""
        loaded = profiles.load("posteingang")
        rules = loaded.facts()
        rules = {**rules, "sealing": {**rules["sealing"], **self._rules}}
        sources = []
        for ordinal, (name, content) in enumerate(files.items(), 1):
            blob = self.store.put("default", io.BytesIO(content))
            named = base64.b64encode(name.encode()).decode("ascii")
            sources.append(
                Source(
                    ordinal=ordinal,
                    name=name,
                    name_base64=named,
                    sha256=blob.sha256,
                    size=blob.size,
                )
            )
        receipt = self.ledger.accept(
            Arrival(
                receipt_key=str(uuid.uuid4()),
                tenant="default",
                envelope=Envelope(profile="posteingang", operator="op17", **envelope),
                profile=rules,
                profile_sha256=loaded.sha256,
                priority=int(Priority.TODAY),
                sources=tuple(sources),
            )
        )
        pipeline = Pipeline(
            ledger=self.ledger,
            perform=self._perform,
            settings=self.settings,
            worker="bureau",
            exhausted=EXHAUSTED,
        )
        while pipeline.advance(tuple(Queue)):
            pass
        return receipt.batch_id

    def _perform(self, assignment: Assignment, seconds: float, tick: Callable[[], bool]) -> Outcome:
        del seconds, tick
        with tempfile.TemporaryDirectory(dir=self._spool) as workspace:
            plain = ASSIGNMENT.dump_python(assignment, mode="json")
            return OUTCOME.validate_python(
                self._serve({"assignment": plain, "workspace": workspace})
            )

    def secure(self) -> None:
        """Give everything delivered evidence, and all roots a timestamp."""
        with Preservation(self.settings, self.ledger) as preservation:
            preservation.once()
            preservation.attest_all()

    def anchor(self, day: dt.date) -> None:
        """Record the root of a day over everything so far."""
        with self.ledger.writing() as connection:
            anchor(connection, "default", day)

    def documents(self, batch: str) -> list[str]:
        """Return the ids of a batch's documents."""
        from ingest.ledger.excerpts import documents_of

        with self.ledger.reading() as connection:
            return documents_of(connection, batch)
