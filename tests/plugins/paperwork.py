"""A replacing document with everything that lets its paper go, and each thing taken away."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ingest.document import Facts, Outcome, Role, Step
from ingest.errors import UsageError
from ingest.ledger import (
    Arrival,
    Ledger,
    accepting,
    backup,
    paper,
    people,
    schema,
)
from ingest.ledger.agreement import Examination
from ingest.ledger.circumstances import Checked
from ingest.ledger.conditions import Proof
from ingest.ledger.destruction import Means, destroy, release
from ingest.ledger.integrity import Root
from tests.plugins.emptied import lay_empty_ledger, open_practised
from tests.plugins.ledgers import ALL, LEASE, arrival, digest, outcome, rows
from tests.plugins.releases import taken

TENANT = "default"
ZONE = ZoneInfo("Europe/Berlin")
MEANS = Means(method="Aktenvernichter im Haus", level="3/P-5")
BOX = "Karton 7"
WAITING = 60
#: Past the waiting time of everything that was delivered today.
LATER = dt.timedelta(days=WAITING + 2)

PAPER: Facts = {
    "after": "destroy",
    "waiting_days": WAITING,
    "archive": "disposable",
    "archive_reference": "Az. 12",
}
REPLACING: Facts = {
    "name": "ersetzend",
    "treatment": "replacing",
    "protection": {"integrity": "normal"},
    "paper": PAPER,
}
PEOPLE = {
    "SCN": Role.SCAN_OPERATOR,
    "FRG": Role.RELEASER,
    "VRN": Role.DESTROYER,
}
GOOD_NOTE: Facts = {"complete": True, "counts_as": "replacing"}


def hasty(folder: Path) -> Ledger:
    """Open a ledger that waits for no disk: no test here cuts the power."""
    path = folder / "ledger.sqlite"
    if not path.exists():
        lay_empty_ledger(path)
    ledger = open_practised(f"sqlite:///{path}")
    engine = ledger._engine
    sa.event.listen(engine, "checkout", _without_sync)
    return ledger


def _without_sync(connection: Any, _record: Any, _proxy: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def staff(ledger: Ledger) -> None:
    """Register who scans, releases and destroys, and one person who may do everything."""
    with ledger.writing() as connection:
        people.register(connection, TENANT, "ADM", by="ADM")
        people.give(connection, TENANT, "ADM", Role.ADMINISTRATOR, by="ADM")
        for code, role in PEOPLE.items():
            people.register(connection, TENANT, code, by="ADM")
            people.give(connection, TENANT, code, role, by="ADM")
        people.register(connection, TENANT, "ALL", by="ADM")
        for role in PEOPLE.values():
            people.give(connection, TENANT, "ALL", role, by="ADM")


def replacing(rules: Facts | None = None, **envelope: Any) -> Arrival:
    """Return an arrival under a replacing profile."""
    content = REPLACING if rules is None else rules
    sent = arrival(profile="ersetzend", **{"operator": "SCN", **envelope})
    return dataclasses.replace(sent, profile=content, profile_sha256=digest(repr(content)))


def deliver(
    ledger: Ledger,
    note: Facts | None = None,
    cut: Any = ((1,), (2,)),
    files: Facts | None = None,
) -> None:
    """Work everything to the end with facts as the steps record them."""
    while (claim := ledger.claim(ALL, "test", LEASE)) is not None:
        found = outcome(ledger.assignment(claim), cut)
        if claim.step is Step.NOTE:
            facts = GOOD_NOTE if note is None else note
            found = dataclasses.replace(found, facts=facts)
        if claim.step is Step.SEALING:
            found = dataclasses.replace(found, facts={"kind": "organisation"})
        if claim.step is Step.DELIVERY:
            pdf = digest(f"{claim.unit_id}/sealing")
            found = Outcome(facts={"files": {"a.pdf": pdf} if files is None else files})
        assert ledger.record(claim, found)


@contextlib.contextmanager
def moved(by: dt.timedelta) -> Iterator[None]:
    """Let the ledger's clock be ahead: years pass without anybody sleeping."""
    asked = accepting.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accepting, "now", lambda connection: asked(connection) + by)
        yield


def back_up(ledger: Ledger) -> None:
    """Record a complete backup of now, without writing one."""
    with ledger.writing() as connection:
        copied = backup.Copied({}, {TENANT: Root("0" * 64, 1)}, accepting.now(connection))
        backup.note_complete(connection, copied)


def documents(ledger: Ledger) -> list[str]:
    return [row.id for row in rows(ledger, schema.document)]


def proofs(ledger: Ledger, fault: str | None = None) -> dict[str, Proof]:
    found = documents(ledger)
    return {id_: Proof(sha256=digest(f"{id_}/sealing"), fault=fault) for id_ in found}


def checked(ledger: Ledger, fault: str | None = None, **more: Any) -> Checked:
    return Checked(zone=ZONE, proofs=proofs(ledger, fault), **more)


def ready(ledger: Ledger, **how: Any) -> list[str]:
    """Make a batch of two replacing documents whose paper may be released after `LATER`."""
    staff(ledger)
    return another(ledger, **how)


def another(ledger: Ledger, rules: Facts | None = None, **how: Any) -> list[str]:
    receipt = taken(ledger, replacing(rules))
    deliver(ledger, **how)
    act(ledger, "store", receipt.batch_id, by="SCN", place=BOX)
    with moved(dt.timedelta(days=1)):
        back_up(ledger)
    found = rows(ledger, schema.document)
    return [row.id for row in found if row.batch_id == receipt.batch_id]


def act(ledger: Ledger, name: str, *args: Any, **kw: Any) -> Any:
    with ledger.writing() as connection:
        return getattr(paper, name)(connection, *args, **kw)


def released(ledger: Ledger, *ids: str, by: str = "FRG", **kw: Any) -> list[str]:
    with ledger.writing() as connection:
        kw.setdefault("checked", checked(ledger))
        return release(connection, ids, by=by, **kw)


def destroyed(ledger: Ledger, *ids: str, by: str = "VRN", **kw: Any) -> list[str]:
    with ledger.writing() as connection:
        kw.setdefault("checked", checked(ledger))
        return destroy(connection, ids, by=by, means=MEANS, **kw)


def stages(ledger: Ledger) -> dict[int, str]:
    return {row.ordinal: row.stage for row in rows(ledger, schema.paper_unit)}


def refused(do: Callable[..., Any], *args: Any, **kw: Any) -> str:
    """Return in which words something is refused."""
    with pytest.raises(UsageError) as caught:
        do(*args, **kw)
    return caught.value.operator_text


def agrees(ledger: Ledger) -> list[str]:
    """Return where rows do not say what their events say."""
    with ledger.reading() as connection:
        return [place.reason for place in Examination(connection)]
