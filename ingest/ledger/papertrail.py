"""Do the rows of paper still say what its event chains say?

What events of before do not say (of which document a unit is the paper, and after an erasure
who acted before it) is not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, PaperStage
from ingest.ledger import schema
from ingest.ledger.columns import as_kept, clean_text, to_microseconds
from ingest.ledger.destruction import CERTIFIED
from ingest.ledger.integrity import ERASED
from ingest.ledger.paperunits import BEGUN, HOLD_LIFTED, HOLD_PLACED, chain_of, hold_said

Row = sa.Row[Any]
_STAGES = frozenset(map(str, PaperStage))
#: What any restatement says, also one of before.
_ALWAYS: Final = ("stage", "place", "released_by", "destruction")
#: What only newer ones say; what they leave out nobody knows.
_SINCE: Final = ("batch", "ordinal", "changed_by", "changed_at", "released_document")


class PaperTrail:
    """Units and holds of a piece of chains, read with two queries."""

    def __init__(self, connection: sa.Connection, chains: Iterable[str]) -> None:
        """Read what belongs to the chains of paper among these."""
        unit, hold = schema.paper_unit, schema.paper_hold
        ids = [id_.removeprefix(chain_of("")) for id_ in chains if id_.startswith(chain_of(""))]
        self._units: dict[str, Row] = {}
        self._holds: dict[str, dict[int, Row]] = {id_: {} for id_ in ids}
        if not ids:
            return
        for row in connection.execute(sa.select(*as_kept(unit)).where(unit.c.id.in_(ids))):
            self._units[row.id] = row
        for row in connection.execute(sa.select(hold).where(hold.c.unit_id.in_(ids))):
            self._holds[row.unit_id][row.number] = row

    def compared(self, chain: Row, events: Iterable[Row]) -> Iterator[str]:
        """Yield in German where a unit is not what its events say."""
        id_ = chain.id.removeprefix(chain_of(""))
        row = self._units.get(id_)
        if row is None:
            yield "Zur Ereigniskette fehlt der Eintrag."
            return
        heard = _hear(events)
        holds = self._holds[id_]
        if {chain.tenant} != {row.tenant, *(one.tenant for one in holds.values())}:
            yield f"Papier: gehört nicht zum Mandanten {chain.tenant}"
        found = {name: getattr(row, name) for name in (*_ALWAYS, "released_document")}
        found |= {"batch": row.batch_id, "ordinal": row.ordinal, "changed_by": row.changed_by}
        found["changed_at"] = to_microseconds(row.changed_at)
        found["free_since"] = row.free_since_at and to_microseconds(row.free_since_at)
        found["holds"] = {number for number, one in holds.items() if one.lifted_at is None}
        for name, value in found.items():
            if name in heard and value != heard[name]:
                yield f"Papier, {name}: Eintrag {value}, Kette {heard[name]}"
        yield from _placed(holds, heard)


def _placed(holds: Mapping[int, Row], heard: Facts) -> Iterator[str]:
    told: dict[int, Facts] = heard["placed"]
    if not told.keys() <= holds.keys() or (heard["whole"] and told.keys() != holds.keys()):
        yield f"Papier, Sperren: {sorted(holds)}, Kette {sorted(told)}"
    for number in sorted(told.keys() & holds.keys()):
        said = hold_said(holds[number])
        if any(said[name] != value for name, value in told[number].items()):
            yield f"Papier, Sperre {number}: nicht, was die Ereignisse sagen"


def _hear(events: Iterable[Row]) -> Facts:
    """Return what events say of a unit; `whole`: and of all its holds."""
    heard: Facts = {"holds": set(), "destruction": None, "released_by": None}
    heard |= {"released_document": None, "free_since": None, "placed": {}, "whole": True}
    for event in events:
        if event.kind == HOLD_LIFTED:  # whoever lifts one changes the unit
            at = to_microseconds(event.at)
            heard |= {"free_since": at, "changed_at": at, "changed_by": event.actor}
        act = _ACTS.get(event.kind, _moved if event.kind in _STAGES else None)
        if act is not None and event.payload is not None:
            act(heard, event)  # otherwise an erasure follows that says again what may be said
    return heard


def _begun(heard: Facts, event: Row) -> None:
    heard["changed_at"] = to_microseconds(event.at)
    _restated(heard, event)


def _restated(heard: Facts, event: Row) -> None:
    said = event.payload
    heard |= {key: said[key] for key in _ALWAYS if key in said}
    heard["holds"] |= set(said.get("holds", ()))
    for name in _SINCE:
        if name in said:
            heard[name] = said[name]
        elif event.kind == ERASED:
            heard.pop(name, None)
    for hold in said.get("placed", ()):
        heard["placed"][hold["number"]] = hold
    if event.kind == ERASED and "placed" not in said:
        heard["whole"] = False


def _held(heard: Facts, event: Row) -> None:
    said = event.payload
    heard["holds"].add(said["number"])
    told: Facts = {"lifted_at": None, "lifted_by": None}
    told |= {key: said[key] for key in ("placed_at",) if key in said}
    if "placed_by" in said:
        told["placed_by"] = clean_text(said["placed_by"])
    elif "with_batch" not in said:
        told["placed_by"] = event.actor
    heard["placed"][said["number"]] = told


def _lifted(heard: Facts, event: Row) -> None:
    number = event.payload["number"]
    heard["holds"].discard(number)
    ended = {"lifted_at": to_microseconds(event.at), "lifted_by": event.actor}
    heard["placed"].setdefault(number, {}).update(ended)


def _certified(heard: Facts, event: Row) -> None:
    heard["destruction"] = {**heard["destruction"], "certificate": event.payload["certificate"]}


def _moved(heard: Facts, event: Row) -> None:
    said, stage = event.payload, event.kind
    heard |= {"stage": stage, "changed_at": to_microseconds(event.at), "changed_by": event.actor}
    if stage == PaperStage.DESTROYED:
        heard["destruction"] = {key: said[key] for key in ("method", "level", "certificate")}
        return
    released = stage == PaperStage.RELEASED
    heard["released_by"] = event.actor if released else None
    heard["released_document"] = said["document"] if released else None
    if stage == PaperStage.STORED:
        heard["place"] = said["place"]


_ACTS: Final[Mapping[str, Callable[[Facts, Row], None]]] = MappingProxyType(
    {
        BEGUN: _begun,
        ERASED: _restated,
        HOLD_PLACED: _held,
        HOLD_LIFTED: _lifted,
        CERTIFIED: _certified,
    }
)
