"""What the events of a tenant's own chain come to: who may do what, and what was released.

Operators with their roles and names, profiles, procedures, devices and stations: each change of
them is an event. Here they are heard in order; `ingest.ledger.entrusted` compares the rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import devices, people, procedures, pseudonyms, releasing, schema, stations
from ingest.ledger.admitting import APPROVED, DRAFT, TESTED, WITHDRAWN
from ingest.ledger.integrity import is_genuine
from ingest.ledger.scanning import RELEASED_AS

#: Rows by the values of their key, without the tenant.
Rows = dict[tuple[str, ...], Facts]

#: The event of a migration that names what stood in the tables and no event had said.
TAKEN_OVER: Final = "registers_taken_over"
_operator, _role, _named = schema.operator, schema.operator_role, schema.named_person
_file, _text = schema.profile_file, schema.procedure_text
_device, _station = schema.scan_device, schema.station


def heard(events: Iterable[sa.Row[Any]]) -> Mapping[str, Rows]:
    """Return what rows there have to be, by table; of each only what some event says of it.

    Args:
        events: All of the chain, with their payloads, in order. What was erased or changed in
            them says nothing.
    """
    found = _Heard()
    for event in events:
        act = _ACTS.get(event.kind)
        if act is None or event.salt is None or not is_genuine(event):
            continue
        with suppress(LookupError, TypeError, ValueError):  # it says nothing of use to anybody
            act(found, event.actor, event.payload)
    found.conclude()
    return found.rows


class _Heard:
    """Rows as the events so far leave them."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {}

    def of(self, table: sa.Table) -> Rows:
        """Return the rows of a table."""
        return self.rows.setdefault(table.name, {})

    def put(self, table: sa.Table, *key: str, **said: Any) -> None:
        """Hear that a row has some values now."""
        self.of(table).setdefault(key, {}).update(said)

    def drop(self, table: sa.Table, *key: str) -> None:
        """Hear that a row is gone."""
        self.of(table).pop(key, None)

    def conclude(self) -> None:
        """Follow who the authors were as persons: their codes may have been heard of later."""
        codes = self.of(_operator)
        for said in self.of(_file).values():
            author = codes.get((said.get("author", ""),), {})
            if "person" in author:
                said["author_person"] = author["person"]


def _registered(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    heard.put(_operator, said["code"], person=said["person"], left=False)


def _left(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    heard.put(_operator, said["code"], left=True)
    for key in [key for key in heard.of(_role) if key[0] == said["code"]]:
        heard.drop(_role, *key)


def _given(heard: _Heard, actor: str, said: Facts) -> None:
    heard.put(_role, said["code"], said["role"], given_by=actor)


def _ended(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    heard.drop(_role, said["code"], said["role"])


def _name_entered(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    heard.put(_named, said["person"])


def _name_struck(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    heard.drop(_named, said["person"])


def _submitted(heard: _Heard, actor: str, said: Facts) -> None:
    never: Facts = {
        "tested_by": None,
        "test_result": None,
        "test_documents": [],
        "approved_by": None,
    }
    never |= {"withdrawn_by": None, "withdrawn_reason": None}
    named = {key: said[key] for key in ("name", "version", "treatment")}
    heard.put(_file, said["sha256"], stage=DRAFT, author=actor, **named, **never)


def _tested(heard: _Heard, actor: str, said: Facts) -> None:
    found = {"test_result": said["result"], "test_documents": said["documents"]}
    heard.put(_file, said["sha256"], stage=TESTED, tested_by=actor, **found)


def _approved(heard: _Heard, actor: str, said: Facts) -> None:
    heard.put(_file, said["sha256"], stage=APPROVED, approved_by=actor)


def _withdrawn(heard: _Heard, actor: str, said: Facts) -> None:
    ended = {"withdrawn_by": actor, "withdrawn_reason": said["reason"]}
    heard.put(_file, said["sha256"], stage=WITHDRAWN, **ended)


def _text_released(heard: _Heard, actor: str, said: Facts) -> None:
    # events of before say neither type and size nor to the microsecond when
    told = ("kind", "name", "media_type", "size")
    named: Facts = {key: said[key] for key in told if key in said}
    if "released_at" in said:
        named["released_at"] = dt.datetime.fromisoformat(said["released_at"])
    heard.put(_text, said["sha256"], released_by=actor, **named)


def _text_removed(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    heard.drop(_text, said["sha256"])


def _device_released(heard: _Heard, actor: str, said: Facts) -> None:
    until = said["until"] and dt.datetime.fromisoformat(said["until"])
    known = {f"released_{name}": said[name] for name in RELEASED_AS}
    known |= {"released": True, "withdrawn": False, "withdrawn_by": None}
    known |= {"released_until_at": until, "inventory": said["inventory"]}
    heard.put(_device, said["device"], released_by=actor, **known)


def _device_withdrawn(heard: _Heard, actor: str, said: Facts) -> None:
    never = {"released": False, "released_by": None}
    known = heard.of(_device).get((said["device"],), never)
    heard.put(_device, said["device"], **known | {"withdrawn": True, "withdrawn_by": actor})


def _station_added(heard: _Heard, actor: str, said: Facts) -> None:
    heard.drop(_station, said["station"])
    # events of before it do not name the token; `TAKEN_OVER` does
    token = {name: said[name] for name in ("token_sha256",) if name in said}
    none = {"revoked": False, "revoked_by": None}
    heard.put(_station, said["station"], added_by=actor, **none, **token)


def _station_revoked(heard: _Heard, actor: str, said: Facts) -> None:
    heard.put(_station, said["station"], revoked=True, revoked_by=actor)


def _taken_over(heard: _Heard, actor: str, said: Facts) -> None:
    del actor
    codes = heard.of(_operator)
    for code, person in said["operators"].items():
        heard.put(_operator, code, **{"left": False, **codes.get((code,), {}), "person": person})
    for person in said["named"]:
        heard.put(_named, person)
    for code, token in said["stations"].items():
        heard.put(_station, code, token_sha256=token)


_ACTS: Final[Mapping[str, Callable[[_Heard, str, Facts], None]]] = MappingProxyType(
    {
        people.REGISTERED: _registered,
        people.LEFT: _left,
        people.ROLE_GIVEN: _given,
        people.ROLE_ENDED: _ended,
        pseudonyms.NAMED: _name_entered,
        pseudonyms.STRUCK: _name_struck,
        releasing.SUBMITTED: _submitted,
        releasing.TRIED: _tested,
        releasing.APPROVAL: _approved,
        releasing.WITHDRAWAL: _withdrawn,
        procedures.RELEASED: _text_released,
        procedures.REMOVED: _text_removed,
        devices.RELEASED: _device_released,
        devices.WITHDRAWN: _device_withdrawn,
        stations.ADDED: _station_added,
        stations.REVOKED: _station_revoked,
        TAKEN_OVER: _taken_over,
    }
)
