"""What stood in the registers before its events said so is said once, in the tenant's own chain.

0012 made known persons of codes that only had a name, and marked whose name is kept, without an
event; `station_added` did not name the token. From here on the chain explains every row. A code
is taken over where it bears the moment at which 0012 marked names, or where an administrator's
act named it or its person since; a token where an event added its station. Any other row that
no event explains is left to `verify`, which names it.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from ingest.ledger import chains, installation

revision = "0014"
down_revision = "0013"
branch_labels = depends_on = None

_TENANTS = sa.text(
    "SELECT tenant FROM operator UNION SELECT tenant FROM named_person"
    " UNION SELECT tenant FROM station ORDER BY tenant"
)
_EVENTS = sa.text(
    "SELECT e.kind, p.payload FROM event e"
    " JOIN event_payload p ON p.chain = e.chain AND p.seq = e.seq"
    " WHERE e.chain = :chain ORDER BY e.seq"
)
_OPERATORS = sa.text("SELECT code, person, since_at FROM operator WHERE tenant = :tenant")
_NAMED = sa.text("SELECT person, named_at FROM named_person WHERE tenant = :tenant")
_STATIONS = sa.text("SELECT code, token_sha256 FROM station WHERE tenant = :tenant")
_TAKEN_OVER = "registers_taken_over"


class _Said:
    """What the events of a tenant's chain say already."""

    def __init__(self, connection: sa.Connection, tenant: str) -> None:
        self.codes: set[str] = set()  # registered or taken over
        self.named: set[str] = set()
        self.acted: set[str] = set()  # codes and persons that an administrator's act names
        self.tokenless: set[str] = set()  # stations
        chain = {"chain": installation.chain_of(tenant)}
        for kind, payload in connection.execute(_EVENTS, chain):
            self._hear(kind, json.loads(payload))

    def _hear(self, kind: str, said: dict[str, Any]) -> None:
        if kind == "operator_registered":
            self.codes.add(said["code"])
        elif kind in {"operator_left", "role_given", "role_ended"}:
            self.acted.add(said["code"])
        elif kind in {"person_named", "person_name_erased"}:
            self.acted.add(said["person"])
            entered = kind == "person_named"
            self.named = self.named | {said["person"]} if entered else self.named - {said["person"]}
        elif kind == "station_added" and "token_sha256" not in said:
            self.tokenless.add(said["station"])
        elif kind == _TAKEN_OVER:
            self.codes |= said["operators"].keys()
            self.named |= {*said["named"]}
            self.tokenless -= said["stations"].keys()


def upgrade() -> None:
    """Append the event for each tenant of whom there is something to say."""
    connection = op.get_bind()
    tenants = list(connection.execute(_TENANTS).scalars())
    said = {tenant: _Said(connection, tenant) for tenant in tenants}
    marked = {
        tenant: {
            row.person: int(row.named_at)
            for row in connection.execute(_NAMED, {"tenant": tenant})
            if row.person not in said[tenant].named
        }
        for tenant in tenants
    }
    moments = [at for marks in marked.values() for at in marks.values()]
    moved_at = min(moments, default=None)
    for tenant in tenants:
        found = {
            "operators": _operators(connection, tenant, said[tenant], moved_at),
            "named": sorted(p for p, at in marked[tenant].items() if at == moved_at),
            "stations": _stations(connection, tenant, said[tenant]),
        }
        if any(found.values()):
            installation.note(connection, tenant, chains.Entry(_TAKEN_OVER, found))


def _operators(
    connection: sa.Connection, tenant: str, said: _Said, moved_at: int | None
) -> dict[str, str]:
    rows = connection.execute(_OPERATORS, {"tenant": tenant}).all()
    return {
        row.code: row.person
        for row in rows
        if row.code not in said.codes
        and (int(row.since_at) == moved_at or {row.code, row.person} & said.acted)
    }


def _stations(connection: sa.Connection, tenant: str, said: _Said) -> dict[str, str]:
    rows = connection.execute(_STATIONS, {"tenant": tenant}).all()
    return {row.code: row.token_sha256 for row in rows if row.code in said.tokenless}


def downgrade() -> None:
    """Leave the events: a chain loses none, and the version before passes them over."""
