"""Scenes of quality assurance: replacing classes, checkers, batches that wait for a sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ingest.document import (
    Assignment,
    Envelope,
    FoundPage,
    Outcome,
    Role,
    SourceKind,
    Step,
)
from ingest.ledger import Arrival, Judged, Ledger, Look, Rescan, people, samples, schema
from tests.plugins.ledgers import ALL, LEASE, arrival, digest, outcome, source
from tests.plugins.releases import taken

#: Who may do what in these scenes; op17 scans, and p17 is the same person.
ROLES = {
    "op17": Role.SCAN_OPERATOR,
    "op18": Role.CHECKER,
    "op19": Role.CHECKER,
    "op20": Role.SUPERVISOR,
    "op21": Role.CLERK,
}


def staffed(ledger: Ledger, tenant: str = "default") -> None:
    """Register people; p17 is a checker and another code of op17's person."""
    with ledger.writing() as connection:
        people.register(connection, tenant, "adm1", by="adm1")
        people.give(connection, tenant, "adm1", Role.ADMINISTRATOR, by="adm1")
        for code, role in ROLES.items():
            people.register(connection, tenant, code, by="adm1")
            people.give(connection, tenant, code, role, by="adm1")
        people.register(connection, tenant, "p17", by="adm1", same_as="op17")
        people.give(connection, tenant, "p17", Role.CHECKER, by="adm1")


def replacing(need: str = "normal", **quality: Any) -> dict[str, Any]:
    """Return a class that replaces paper, with its quality assurance as said."""
    asked = {"check": "before_delivery", "share": 0.2, "minimum": 1, **quality}
    asked["clean_batches"] = quality.get("clean_batches", 20)
    return {
        "name": f"ersetzend-{need}",
        "treatment": "replacing",
        "protection": {"integrity": need},
        "quality": asked,
    }


def accepted(
    ledger: Ledger, profile: dict[str, Any], tenant: str = "default", operator: str = "op17"
) -> str:
    """Accept a stack under a class; return the batch."""
    given = arrival(tenant=tenant)
    arrived: Arrival = dataclasses.replace(
        given,
        envelope=Envelope(profile=profile["name"], operator=operator),
        profile=profile,
        profile_sha256=digest(repr(profile)),
    )
    return taken(ledger, arrived).batch_id


def made(assignment: Assignment, cut: Sequence[Sequence[int]], flagged: set[int]) -> Outcome:
    """Return what a step might find; checking flags the pages said, by arrival number."""
    found = outcome(assignment, cut)
    if assignment.step is Step.CHECKING:
        hit = sorted(flagged & {page.number for page in assignment.pages})
        review = [{"code": "content_cut", "pages": hit, "text": "Angeschnitten."}] if hit else []
        return dataclasses.replace(found, facts={"review": review})
    return found


def run(
    ledger: Ledger, documents: int = 5, *, each: int = 1, flagged: Sequence[int] = ()
) -> list[tuple[Step, str]]:
    """Do all ready work on stacks of so many documents; say what was done."""
    cut = [range(n * each + 1, (n + 1) * each + 1) for n in range(documents)]
    done = []
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = made(ledger.assignment(claim), cut, set(flagged))
        assert ledger.record(claim, found)
        done.append((claim.step, claim.unit_id))
    return done


def waiting(
    ledger: Ledger, documents: int = 5, need: str = "normal", **quality: Any
) -> tuple[str, list[str]]:
    """Return a batch whose documents wait for its sample, and them."""
    batch = accepted(ledger, replacing(need, **quality))
    run(ledger, documents)
    return batch, of_batch(ledger, batch)


def of_batch(ledger: Ledger, batch: str) -> list[str]:
    """Return the documents of a batch in order."""
    table = schema.document
    query = sa.select(table.c.id).where(table.c.batch_id == batch)
    with ledger.reading() as connection:
        return list(connection.execute(query.order_by(table.c.ordinal, table.c.revision)).scalars())


def standings(ledger: Ledger, batch: str) -> list[tuple[str, str]]:
    """Return stage and standing of a batch's documents in order."""
    table = schema.document
    query = sa.select(table.c.stage, table.c.standing).where(table.c.batch_id == batch)
    with ledger.reading() as connection:
        found = connection.execute(query.order_by(table.c.ordinal, table.c.revision))
        return [(row.stage, row.standing) for row in found]


def shown(ledger: Ledger, batch: str) -> dict[str, Any]:
    """Return what is known of a batch's quality assurance."""
    with ledger.reading() as connection:
        return samples.show(connection, batch)


def selected(ledger: Ledger, batch: str) -> list[str]:
    """Return the documents that somebody has to look at."""
    return [each["document"] for each in shown(ledger, batch)["documents"] if each["selected"]]


def judge(ledger: Ledger, document: str, **said: Any) -> Judged:
    """Judge a document, by default well."""
    look = Look(**{"by": "op18", "visual": True, "content": True, **said})
    return ledger.verdict(document, look)


def refuse(ledger: Ledger, document: str, **said: Any) -> Judged:
    """Judge a document badly."""
    return judge(ledger, document, **{"visual": False, "reason": "Zeile fehlt", **said})


def scanned(page: int | None = 1, pages: int = 1, content: str = "neu", **said: Any) -> Rescan:
    """Return a file that was scanned again."""
    file = dataclasses.replace(
        source("neu.tif", content), kind=SourceKind.TIFF, pages=pages, facts={"class": "scan"}
    )
    found = [FoundPage(source=1, index=i, sha256=digest(f"{content}/{i}")) for i in range(pages)]
    return Rescan(
        **{"by": "op17", "reason": "Ecke gefaltet", "page": page, "source": file, "pages": found}
        | said
    )
