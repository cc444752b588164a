"""Do the events of a tenant's own chain explain who may do what, and what was released?

Operators with their roles and names, profiles, procedures, devices and stations decide who may
check, approve and hand over (BSI TR-03138 V1.5, A.O.1, A.O.2, A.SC.6). Each change of them is an
event: a row that none explains was written past them, one that they name and is not there was
taken away. Rows of before their events are named by `TAKEN_OVER`. Part of `agreement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from ingest.ledger import schema
from ingest.ledger.admitting import STAGES
from ingest.ledger.columns import Kept, clean_text
from ingest.ledger.entrusting import TAKEN_OVER, Rows, heard
from ingest.ledger.installation import chain_of
from ingest.ledger.integrity import told
from ingest.ledger.scanning import RELEASED_AS

Row = sa.Row[Any]

_operator, _role, _named = schema.operator, schema.operator_role, schema.named_person
_file, _text = schema.profile_file, schema.procedure_text
_device, _station = schema.scan_device, schema.station
_event = schema.event


@dataclass(frozen=True)
class _Register:
    """One table of the tenant.

    Attributes:
        called: German, with the names of the key's columns in braces.
        table: Where it stands.
        key: Columns of the key, without the tenant.
        columns: What is compared beside the key.
        chosen: Which rows give or release anything; None for all.
    """

    called: str
    table: sa.Table
    key: tuple[str, ...]
    columns: tuple[sa.ColumnElement[Any], ...] = ()
    chosen: sa.ColumnElement[bool] | None = None


def _is(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    return column.is_not(None).label(name)


_RELEASED: Final = (
    _device.c.released_by,
    *(_device.c[f"released_{name}"] for name in RELEASED_AS),
    _device.c.released_until_at,
    _device.c.inventory,
    _device.c.withdrawn_by,
)
_DECIDED: Final = (
    _file.c.name,
    _file.c.version,
    _file.c.treatment,
    _file.c.stage,
    _file.c.author,
    _file.c.author_person,
    _file.c.tested_by,
    _file.c.test_result,
    sa.type_coerce(_file.c.test_documents, Kept()).label("test_documents"),
    _file.c.approved_by,
    _file.c.withdrawn_by,
    _file.c.withdrawn_reason,
)
_REGISTERS: Final = (
    _Register(
        "Kürzel {code}",
        _operator,
        ("code",),
        (_operator.c.person, _is(_operator.c.ended_at, "left")),
    ),
    _Register(
        "Rolle {role} von {code}",
        _role,
        ("code", "role"),
        (_role.c.given_by,),
        _role.c.ended_at.is_(None),
    ),
    _Register("Hinterlegter Name der Person {person}", _named, ("person",)),
    _Register("Profil {sha256}", _file, ("sha256",), _DECIDED),
    _Register(
        "Verfahrensdokumentation {sha256}",
        _text,
        ("sha256",),
        (
            _text.c.kind,
            _text.c.name,
            _text.c.media_type,
            _text.c.size,
            _text.c.released_by,
            _text.c.released_at,
        ),
    ),
    _Register(
        "Gerät {device}",
        _device,
        ("device",),
        (
            *_RELEASED,
            _is(_device.c.released_at, "released"),
            _is(_device.c.withdrawn_at, "withdrawn"),
        ),
        sa.or_(
            *(column.is_not(None) for column in _RELEASED),
            _device.c.released_at.is_not(None),
            _device.c.withdrawn_at.is_not(None),
        ),
    ),
    _Register(
        "Arbeitsplatz {code}",
        _station,
        ("code",),
        (
            _station.c.token_sha256,
            _station.c.added_by,
            _station.c.revoked_by,
            _is(_station.c.revoked_at, "revoked"),
        ),
    ),
)
#: As people read what is compared.
_CALLED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "person": "Person",
        "left": "Ausscheiden",
        "given_by": "erteilt von",
        "name": "Name",
        "version": "Version",
        "treatment": "Behandlung",
        "kind": "Art",
        "media_type": "Format",
        "size": "Größe",
        "released_at": "Zeit der Freigabe",
        "author": "verfasst von",
        "author_person": "Person, die verfasst hat",
        "tested_by": "getestet von",
        "test_result": "Ergebnis des Tests",
        "test_documents": "Dokumente des Tests",
        "approved_by": "freigegeben von",
        "released_by": "freigegeben von",
        "released": "Freigabe",
        "released_vendor": "Hersteller der Freigabe",
        "released_model": "Modell der Freigabe",
        "released_serial": "Seriennummer der Freigabe",
        "released_firmware": "Firmware der Freigabe",
        "released_until_at": "Ende der Freigabe",
        "inventory": "Inventarnummer",
        "withdrawn": "Rücknahme",
        "withdrawn_by": "zurückgezogen von",
        "withdrawn_reason": "Grund der Rücknahme",
        "token_sha256": "Zugang",
        "added_by": "eingerichtet von",
        "revoked": "Ende des Zugangs",
        "revoked_by": "Zugang beendet von",
    }
)


def unexplained(connection: sa.Connection, tenant: str, events: Iterable[Row]) -> Iterator[str]:
    """Yield each row of a tenant's registers that is not what its events say, in German.

    Args:
        connection: In a reading transaction.
        tenant: Whose registers.
        events: All of the tenant's own chain, with their payloads, in order; what was changed
            in them says nothing.
    """
    said = heard(events)
    for register in _REGISTERS:
        found = _kept(connection, tenant, register)
        yield from _compared(register, found, said.get(register.table.name, {}))


def _kept(connection: sa.Connection, tenant: str, register: _Register) -> Rows:
    keys = [register.table.c[name] for name in register.key]
    query = sa.select(*keys, *register.columns).where(register.table.c.tenant == tenant)
    found: Rows = {}
    if register.chosen is not None:
        query = query.where(register.chosen)
    for row in connection.execute(query):
        values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        found[tuple(values.pop(name) for name in register.key)] = values
    return found


def _compared(register: _Register, found: Rows, said: Rows) -> Iterator[str]:
    for key in sorted(found.keys() | said.keys()):
        called = register.called.format(**dict(zip(register.key, key, strict=True)))
        if key not in said:
            yield f"{called}: steht in keinem Ereignis"
        elif key not in found:
            yield f"{called}: fehlt, die Ereignisse nennen es"
        else:
            for name, value in said[key].items():
                if found[key][name] != (clean_text(value) if isinstance(value, str) else value):
                    yield f"{called}, {_difference(name, found[key][name], value)}"


def _difference(name: str, found: Any, said: Any) -> str:
    if name == "stage":
        return f"Stand: Eintrag {STAGES.get(found, found)}, Kette {STAGES.get(said, said)}"
    return f"{_CALLED[name]}: nicht, was die Ereignisse sagen"


def taken_over(connection: sa.Connection, tenant: str) -> list[str]:
    """Return, as people read it, what was taken over without an event of its own."""
    events = told(connection, _event.c.chain == chain_of(tenant), _event.c.kind == TAKEN_OVER)
    found: set[str] = set()
    for event in events:
        said = event.payload
        found |= {f"Kürzel {code}" for code in said["operators"]}
        found |= {f"Name der Person {person}" for person in said["named"]}
        found |= {f"Zugang von {code}" for code in said["stations"]}
    return sorted(found)


def tenants(connection: sa.Connection) -> set[str]:
    """Return all tenants who have anything in their registers."""
    own = (sa.select(register.table.c.tenant) for register in _REGISTERS)
    return set(connection.execute(sa.union(*own)).scalars())
