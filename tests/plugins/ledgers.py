"""Scenes with a ledger: arrivals, plausible outcomes of steps, a batch's whole way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ingest.document import (
    Assignment,
    Envelope,
    FoundPage,
    Outcome,
    PageRole,
    Part,
    Queue,
    Rendition,
    RenditionKind,
    Source,
    SourceKind,
    Step,
    UnitKind,
)
from ingest.ledger import (
    Arrival,
    Claim,
    Ledger,
    chains,
    integrity,
    migrating,
    open_ledger,
    schema,
)

LEASE = dt.timedelta(seconds=30)
#: A lease that has ended when the claim is returned.
NO_LEASE = dt.timedelta(seconds=-1)
ALL = tuple(Queue)
PROFILE = {"name": "posteingang", "treatment": "copying"}

_MADE = {
    Step.RECOGNITION: RenditionKind.WORDS,
    Step.COMPOSITION: RenditionKind.COMPOSED,
    Step.NOTE: RenditionKind.NOTED,
    Step.SEALING: RenditionKind.PDF,
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def source(name: str = "brief.pdf", content: str | None = None, ordinal: int = 1) -> Source:
    sha256 = digest(content or uuid.uuid4().hex)
    return Source(ordinal=ordinal, name=name, name_base64="YQ==", sha256=sha256, size=1000)


def arrival(
    *sources: Source,
    tenant: str = "default",
    priority: int = 10,
    key: str | None = None,
    held: tuple[str, str] | None = None,
    **envelope: Any,
) -> Arrival:
    return Arrival(
        receipt_key=key or str(uuid.uuid4()),
        tenant=tenant,
        envelope=Envelope(**{"profile": "posteingang", "operator": "op17", **envelope}),
        profile=PROFILE,
        profile_sha256=digest("posteingang 1"),
        priority=priority,
        sources=sources or (source(),),
        held=held,
    )


def rendition(kind: RenditionKind, parent: str, content: str) -> Rendition:
    return Rendition(
        kind=kind,
        sha256=digest(content),
        size=len(content),
        media_type="application/octet-stream",
        parent_sha256=parent,
        tool="tool 1.0",
    )


def outcome(assignment: Assignment, cut: Sequence[Sequence[int]] = ((1,),)) -> Outcome:
    """Return what the step of `assignment` might find, cutting the batch as said."""
    step, facts = assignment.step, {"done": str(assignment.step)}
    if step is Step.INSPECTION:
        first = assignment.batch.source(1)
        count = max((number for part in cut for number in part), default=0)
        pages = tuple(
            FoundPage(source=1, index=index, sha256=digest(f"{first.sha256}/{index}"))
            for index in range(count)
        )
        known = dataclasses.replace(first, kind=SourceKind.PDF, pages=count)
        return Outcome(sources=(known, *assignment.batch.sources[1:]), facts=facts, pages=pages)
    if step is Step.SEPARATION:
        kept = {number for part in cut for number in part}
        roles = {p.number: PageRole.SEPARATOR for p in assignment.pages if p.number not in kept}
        omitted = [
            {"page": page.number, "kind": "separator", "sha256": page.sha256}
            for page in assignment.pages
            if page.number in roles
        ]
        parts = tuple(Part(pages=tuple(part), source=1) for part in cut)
        places = {p.number: (p.number, "front") for p in assignment.pages}
        return Outcome(parts=parts, roles=roles, places=places, facts={"omitted": omitted})
    if step not in _MADE:
        return Outcome(facts=facts)
    page_step = assignment.unit_kind is UnitKind.PAGE
    parent = assignment.page.sha256 if page_step else assignment.batch.source(1).sha256
    made = rendition(_MADE[step], parent, f"{assignment.unit_id}/{step}")
    return Outcome(renditions=(made,), facts=facts)


def work(
    ledger: Ledger, cut: Sequence[Sequence[int]] = ((1,),), until: Step | None = None
) -> list[tuple[Step, str]]:
    """Do all ready work, or stop before the first claim of `until`; say what was done."""
    done: list[tuple[Step, str]] = []
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        assert claim.step is not until, "leave this to `claim_at`"
        assert ledger.record(claim, outcome(ledger.assignment(claim), cut))
        done.append((claim.step, claim.unit_id))
    return done


def deliver(ledger: Ledger, cut: Sequence[Sequence[int]] = ((1, 2), (4,))) -> None:
    """Work everything to the end, with outputs and delivery facts as the steps make them."""
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = outcome(ledger.assignment(claim), cut)
        if claim.step is Step.NOTE:
            note = rendition(RenditionKind.NOTE, digest("x"), f"note {claim.unit_id}")
            text = rendition(RenditionKind.TEXT, digest("x"), f"text {claim.unit_id}")
            found = dataclasses.replace(found, renditions=(*found.renditions, note, text))
        if claim.step is Step.ROUTING:
            found = Outcome(facts={"department": "Bauamt"})
        if claim.step is Step.DELIVERY:
            pdf = digest(f"{claim.unit_id}/sealing")
            facts = {"target": "folder", "path": f"Bauamt/{claim.unit_id}", "files": {"a.pdf": pdf}}
            found = Outcome(facts=facts)
        assert ledger.record(claim, found)


def claim_at(ledger: Ledger, step: Step, cut: Sequence[Sequence[int]] = ((1,),)) -> Claim:
    """Work until a claim of `step` comes and return it, unrecorded."""
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        if claim.step is step:
            return claim
        assert ledger.record(claim, outcome(ledger.assignment(claim), cut))
    message = f"no work at {step}"
    raise AssertionError(message)


def rows(ledger: Ledger, table: sa.Table) -> list[Any]:
    """Return all rows of a table in an order that means something."""
    order = [table.c[name] for name in ("number", "ordinal", "at", "seq") if name in table.c]
    with ledger.reading() as connection:
        return list(connection.execute(table.select().order_by(*order, *table.primary_key)))


def first_day(ledger: Ledger) -> dt.date:
    """Return the day, in UTC, on which the first batch came: midnight may have passed since."""
    first: dt.datetime = min(row.registered_at for row in rows(ledger, schema.batch))
    return first.date()


def broken(ledger: Ledger, tenant: str | None = None) -> list[integrity.Break]:
    """Return every place at which a chain does not verify."""
    with ledger.reading() as connection:
        return integrity.verify_chains(connection, tenant)


def change(ledger: Ledger, statement: sa.Executable) -> None:
    """Tamper with the ledger, past everything that it promises."""
    with ledger.writing() as connection:
        connection.execute(statement)


def everything(ledger: Ledger) -> str:
    """Return all the ledger's content as text; a row's own `repr` leaves out long middles."""
    with ledger.reading() as connection:
        return "\n".join(
            repr(tuple(row))
            for table in schema.metadata.sorted_tables
            for row in connection.execute(sa.select(table))
        )


def events(ledger: Ledger, chain: str) -> list[str]:
    """Return the kinds of events of a chain, after checking that it verifies."""
    table, payloads = schema.event, schema.event_payload
    with ledger.reading() as connection:
        found = connection.execute(
            table.select().where(table.c.chain == chain).order_by(table.c.seq)
        ).all()
        said = connection.execute(payloads.select().where(payloads.c.chain == chain)).all()
        head = connection.execute(schema.chain.select().where(schema.chain.c.id == chain)).one()
    previous = chains.GENESIS
    by_seq = {row.seq: row for row in said}
    for seq, row in enumerate(found, 1):
        payload = by_seq[seq]
        fields = {name: getattr(row, name) for name in ("chain", "seq", "kind", "at", "actor")}
        expected = chains.event_digest(
            **fields,
            payload_digest=chains.payload_digest(payload.salt, payload.payload),
            previous=previous,
        )
        assert row.seq == seq
        assert row.digest == expected
        previous = row.digest
    assert (head.length, head.head) == (len(found), previous)
    return [row.kind for row in found]


def payload(ledger: Ledger, kind: str) -> dict[str, Any]:
    """Return what the last event of a kind says, nothing if there is none."""
    event, said = schema.event, schema.event_payload
    query = (
        sa.select(said.c.payload)
        .join(event, sa.and_(event.c.chain == said.c.chain, event.c.seq == said.c.seq))
        .where(event.c.kind == kind)
        .order_by(event.c.at.desc(), event.c.seq.desc())
    )
    with ledger.reading() as connection:
        return dict(connection.execute(query).scalars().first() or {})


def claim_everything(url: str) -> list[tuple[str, str]]:
    """Claim until nothing is ready; runs in a process of its own."""
    ledger = open_ledger(url)
    claimed = []
    while (claim := ledger.claim(ALL, "process", LEASE)) is not None:
        claimed.append((claim.unit_id, claim.token))
    ledger.close()
    return claimed


def downgrade(ledger: Ledger, revision: str = "0001") -> None:
    """Take a ledger back to an earlier schema, the first by default, rows included."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(migrating.__file__).replace("migrating.py", "migrations")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    with ledger.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
