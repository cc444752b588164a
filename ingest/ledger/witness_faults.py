"""Are files, images and heads still those over which roots were made?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import PLAN, Facts, Step, UnitKind
from ingest.hashtree import SIZE, root_of
from ingest.ledger import installation, schema, witness
from ingest.ledger.evidence import parted, pieces
from ingest.ledger.integrity import ANCHORED, told
from ingest.ledger.witness import CAPTURE, GONE, HEADS, NAMED, RECEIPT, SUPPLEMENT
from ingest.ledger.witnessed import LATER

Row = sa.Row[Any]
_root, _branch, _day = schema.witness_root, schema.evidence_branch, schema.merkle_root
_event = schema.event
_PIECE: Final = 200
#: The event of a document whose supplementary note has its seal.
SEALED_BESIDE: Final = PLAN[UnitKind.DOCUMENT, Step.CONFIRMATION_SEALING].event
_SAYING: Final = ("received", "inspected", SEALED_BESIDE, LATER)
_WHAT: Final = {
    RECEIPT: "Eingang",
    CAPTURE: "Erfassung",
    HEADS: "Tageswurzel",
    SUPPLEMENT: "Ergänzungsvermerk",
}
_PART: Final = {RECEIPT: "Datei", CAPTURE: "Seite", SUPPLEMENT: "Datei"}
_Said = dict[tuple[str, str], tuple[str, Any]]


def faults(
    connection: sa.Connection, tenant: str, unit: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yield what is not what a root was made over: what is concerned, and why, in German.

    Args:
        connection: In a reading transaction.
        tenant: Whose roots.
        unit: Only those of this batch or document.
    """
    last = ("", "")
    while piece := _after(connection, tenant, unit, last):
        last = (piece[-1].kind, piece[-1].unit)
        yield from _of_piece(connection, tenant, piece)
    yield from _missing(connection, tenant, unit)
    if unit is None:
        yield from _days(connection, tenant)


def _after(
    connection: sa.Connection, tenant: str, unit: str | None, last: tuple[str, str]
) -> list[Row]:
    kind, of_unit = last
    beyond = sa.or_(_root.c.kind > kind, sa.and_(_root.c.kind == kind, _root.c.unit > of_unit))
    query = sa.select(_root).where(_root.c.tenant == tenant, beyond)
    if unit is not None:
        query = query.where(_root.c.unit == unit)
    return list(connection.execute(query.order_by(_root.c.kind, _root.c.unit).limit(_PIECE)))


def _of_piece(
    connection: sa.Connection, tenant: str, piece: list[Row]
) -> Iterator[tuple[str, str]]:
    units = sorted({row.unit for row in piece if row.kind != HEADS})
    said = _said(connection, units) | _said_of_days(connection, tenant, piece)
    under = _leaves(connection, {(row.batch_id, row.branch) for row in piece if row.batch_id})
    found = {
        kind: witness.digests(connection, kind, [row.unit for row in piece if row.kind == kind])
        for kind in NAMED
    }
    for row in piece:
        if row.kind not in _WHAT:
            yield f"Wurzel {row.unit}", f"die Art {row.kind} gibt es nicht"
            continue
        for reason in _of_root(row, said, under):
            yield f"{_WHAT[row.kind]} {row.unit}", reason
        if row.kind != HEADS:
            for reason in _of_leaves(row, found[row.kind].get(row.unit, [])):
                yield f"{_WHAT[row.kind]} {row.unit}", reason


def _of_root(row: Row, said: _Said, under: dict[tuple[int, int], bytes]) -> Iterator[str]:
    whole = bool(row.leaves) and len(row.leaves) % SIZE == 0
    if not whole or root_of(witness.split(row.leaves)).hex() != row.root:
        yield "die Wurzel ist nicht die ihrer Blätter"
    named = said.get((row.kind, row.unit))
    if named is not None and named != (row.root, row.known_at):
        yield "Wurzel oder Zeit ist nicht die, die das Ereignis nennt"
    if row.batch_id is None:
        if (row.branch, row.place) != (None, None):
            yield "ein Platz unter keinem Zeitstempel"
        return
    leaves = parted(under.get((row.batch_id, row.branch), b""))
    if row.place is None or [one.hex() for one in leaves[row.place : row.place + 1]] != [row.root]:
        yield "nicht das, was unter dem Zeitstempel steht"


def _of_leaves(row: Row, digests: list[str]) -> Iterator[str]:
    leaves, salts = witness.split(row.leaves), witness.split(row.salts)
    part = _PART[row.kind]
    if len(salts) != len(leaves):
        yield "Blätter und Zufallswerte passen nicht zueinander"
        return
    if len(digests) > len(leaves):
        yield f"{len(digests)} Einträge, gezeichnet wurden {len(leaves)}"
    for number, (leaf, salt) in enumerate(zip(leaves, salts, strict=True), 1):
        sha256 = digests[number - 1] if number <= len(digests) else ""
        if bool(sha256) != (salt != GONE):
            yield f"{part} {number}: nur halb gelöscht"
        elif sha256 and not _is_of(leaf, sha256, salt):
            yield f"{part} {number} ist nicht die, über die die Wurzel gebildet wurde"


def _is_of(leaf: bytes, sha256: str, salt: bytes) -> bool:
    try:
        return witness.leaf(sha256, salt) == leaf
    except ValueError:
        return False  # it is no digest any more


def _said(connection: sa.Connection, units: list[str]) -> _Said:
    """Return root and time that the events of some units name; of erased ones nothing."""
    found: _Said = {}
    for piece in pieces(units):
        chosen = (_event.c.chain.in_(piece), _event.c.kind.in_(_SAYING))
        for row in told(connection, *chosen):
            for kind, name in NAMED.items():
                if name in row.payload:
                    found[kind, row.chain] = (row.payload[name], row.at)
    return found


def _said_of_days(connection: sa.Connection, tenant: str, piece: list[Row]) -> _Said:
    if not any(row.kind == HEADS for row in piece):
        return {}
    query = sa.select(_day).where(_day.c.tenant == tenant)
    return {
        (HEADS, witness.day_of(tenant, row.day)): (row.root, row.anchored_at)
        for row in connection.execute(query)
    }


def _leaves(
    connection: sa.Connection, wanted: set[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    numbers = sorted({batch for batch, _ in wanted})
    query = sa.select(_branch).where(_branch.c.batch_id.in_(numbers))
    return {
        (row.batch_id, row.number): row.leaves
        for row in connection.execute(query)
        if (row.batch_id, row.number) in wanted
    }


def _missing(connection: sa.Connection, tenant: str, unit: str | None) -> Iterator[tuple[str, str]]:
    """Yield units whose events name a root that is not there."""
    kept = sa.select(_root.c.unit).where(_root.c.tenant == tenant)
    for kind, name in NAMED.items():
        without = _event.c.chain.not_in(kept.where(_root.c.kind == kind))
        chosen = [_event.c.tenant == tenant, _event.c.kind.in_(_SAYING), without]
        if unit is not None:
            chosen.append(_event.c.chain == unit)
        for row in told(connection, *chosen):
            if name in row.payload:
                yield f"{_WHAT[kind]} {row.chain}", "das Ereignis nennt eine Wurzel, sie fehlt"


def _days(connection: sa.Connection, tenant: str) -> Iterator[tuple[str, str]]:
    """Yield days whose root is not the one that an event names."""
    chosen = (_event.c.chain == installation.chain_of(tenant), _event.c.kind == ANCHORED)
    said: dict[str, Facts] = {row.payload["day"]: row.payload for row in told(connection, *chosen)}
    for row in connection.execute(sa.select(_day).where(_day.c.tenant == tenant)):
        named = said.pop(row.day, None)
        found = {"root": row.root, "heads": row.heads, "anchored_at": row.anchored_at.isoformat()}
        if named is not None and any(named[name] != value for name, value in found.items()):
            yield f"Tageswurzel {row.day}", "nicht die, die das Ereignis nennt"
        if witness.of_unit(connection, HEADS, witness.day_of(tenant, row.day)) is None and named:
            yield f"Tageswurzel {row.day}", "das Ereignis nennt sie, ihr Blatt fehlt"
    for day in said:
        yield f"Tageswurzel {day}", "das Ereignis nennt sie, sie fehlt"
