"""Do the rows of paper still say what its event chains say?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from ingest.document import Facts, PaperStage
from ingest.ledger import schema
from ingest.ledger.destruction import CERTIFIED
from ingest.ledger.integrity import ERASED
from ingest.ledger.paperunits import BEGUN, HOLD_LIFTED, HOLD_PLACED, chain_of

Row = sa.Row[Any]
_STAGES = frozenset(map(str, PaperStage))


class PaperTrail:
    """Units and holds of a piece of chains, read with two queries."""

    def __init__(self, connection: sa.Connection, chains: Iterable[str]) -> None:
        """Read what belongs to the chains of paper among these."""
        unit, hold = schema.paper_unit, schema.paper_hold
        ids = [id_.removeprefix(chain_of("")) for id_ in chains if id_.startswith(chain_of(""))]
        self._units: dict[str, Row] = {}
        self._holds: dict[str, set[int]] = {id_: set() for id_ in ids}
        if not ids:
            return
        for row in connection.execute(sa.select(unit).where(unit.c.id.in_(ids))):
            self._units[row.id] = row
        open_ones = sa.and_(hold.c.unit_id.in_(ids), hold.c.lifted_at.is_(None))
        for id_, number in connection.execute(
            sa.select(hold.c.unit_id, hold.c.number).where(open_ones)
        ):
            self._holds[id_].add(number)

    def compared(self, chain: Row, events: Iterable[Row]) -> Iterator[str]:
        """Yield in German where a unit is not what its events say."""
        id_ = chain.id.removeprefix(chain_of(""))
        row = self._units.get(id_)
        if row is None:
            yield "Zur Ereigniskette fehlt der Eintrag."
            return
        heard = _hear(events)
        found = {
            "stage": row.stage,
            "place": row.place,
            "released_by": row.released_by,
            "destruction": row.destruction,
            "holds": self._holds[id_],
        }
        for name, value in found.items():
            if value != heard[name]:
                yield f"Papier, {name}: Eintrag {value}, Kette {heard[name]}"


def _hear(events: Iterable[Row]) -> Facts:
    heard: Facts = {"holds": set(), "destruction": None, "released_by": None}
    for event in events:
        said = event.payload
        if said is None:
            continue  # an erasure follows that says again what may be said
        if event.kind in (BEGUN, ERASED):
            heard |= {"stage": said["stage"], "place": said["place"]}
            heard |= {key: said[key] for key in ("released_by", "destruction") if key in said}
            heard["holds"] |= set(said.get("holds", ()))
        elif event.kind in _STAGES:
            _moved(heard, event.kind, said, event.actor)
        elif event.kind == HOLD_PLACED:
            heard["holds"].add(said["number"])
        elif event.kind == HOLD_LIFTED:
            heard["holds"].discard(said["number"])
        elif event.kind == CERTIFIED:
            heard["destruction"] = {**heard["destruction"], "certificate": said["certificate"]}
    return heard


def _moved(heard: Facts, stage: str, said: Facts, actor: str) -> None:
    heard["stage"] = stage
    if stage == PaperStage.DESTROYED:
        heard["destruction"] = {key: said[key] for key in ("method", "level", "certificate")}
        return
    heard["released_by"] = actor if stage == PaperStage.RELEASED else None
    if stage == PaperStage.STORED:
        heard["place"] = said["place"]
