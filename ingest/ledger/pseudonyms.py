"""Names behind operator codes: entered by one person, seen only by two together.

The ledger keeps that a person has a name in the store of names, never the name: so it can tell
whether the creator of a note is resolvable (BSI TR-03138 V1.5, A.NB.4a) without asking for it.
Resolving takes two persons of Revision or their deputies, happens at once, and is an event of the
tenant's chain; so is every refusal. Two persons are our choice, the TR asks that it be possible.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from ingest.document import Facts, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, people, schema
from ingest.ledger.engine import hold
from ingest.ledger.inserting import insert_new
from ingest.ledger.namebook import Namebook, Named
from ingest.ledger.persons import require_code

_operator, _named = schema.operator, schema.named_person

#: Events of the tenant's own chain.
NAMED: Final = "person_named"
STRUCK: Final = "person_name_erased"
RESOLVED: Final = "pseudonym_resolved"
REFUSED: Final = "pseudonym_resolution_refused"
_RESOLVERS: Final = (Role.AUDITOR, Role.AUDITOR_DEPUTY)

#: Opens a writing transaction of the ledger.
Writing = Callable[[], AbstractContextManager[sa.Connection]]

_RESOLVABLE = (
    sa.select(_operator.c.code)
    .join(
        _named,
        sa.and_(_named.c.tenant == _operator.c.tenant, _named.c.person == _operator.c.person),
    )
    .where(
        _operator.c.tenant == sa.bindparam("of_tenant"),
        _operator.c.code.in_(sa.bindparam("codes", expanding=True)),
        sa.or_(_operator.c.ended_at.is_(None), _operator.c.ended_at >= sa.bindparam("acted_at")),
    )
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who wants to know whom, and why.

    Attributes:
        code: To be resolved; it may have ended.
        by: One of Revision, or a deputy.
        second: Another.
        reason: Kept for good; it names nobody.
    """

    code: str
    by: str
    second: str
    reason: str


def enter(
    connection: sa.Connection,
    names: Namebook,
    tenant: str,
    code: str,
    named: Named,
    *,
    by: str,
) -> None:
    """Enter or change the name of the person of a code.

    The name is durable first; if the ledger then fails, it is there without anybody relying on
    it, and entering it again ends that.

    Raises:
        UsageError: The code is not known, the name is empty, or `by` is no administrator.
        LedgerUnavailable: The store of names does not answer; nothing changed.
    """
    people.require_administrator(connection, tenant, by)
    person = _person(connection, tenant, code)
    if not named.name.strip():
        text = f"{code}: Es ist kein Name angegeben."
        raise UsageError("no name", operator_text=text)
    hold(connection, f"people of {tenant}")
    names.enter(tenant, person, named)
    row = {"tenant": tenant, "person": person, "named_at": accepting.now(connection)}
    connection.execute(insert_new(_named, connection.dialect.name), row)
    installation.note(connection, tenant, chains.Entry(NAMED, {"person": person}, by))


def strike(
    connection: sa.Connection,
    names: Namebook,
    tenant: str,
    code: str,
    *,
    by: str,
    reason: str,
) -> None:
    """Erase the name of a person; their codes stay and are not resolvable any more.

    Raises:
        UsageError: The code is not known, has no name, the reason is missing, or `by` is no
            administrator; nothing changed.
        LedgerUnavailable: The store of names does not answer; nothing changed.
    """
    people.require_administrator(connection, tenant, by)
    person = _person(connection, tenant, code)
    if not reason.strip():
        text = f"{code}: Für das Löschen des Namens fehlt die Angabe --reason (Grund)."
        raise UsageError("no reason", operator_text=text)
    hold(connection, f"people of {tenant}")
    marked = sa.delete(_named).where(_named.c.tenant == tenant, _named.c.person == person)
    was_marked = connection.execute(marked).rowcount
    if not names.strike(tenant, person) and not was_marked:
        text = f"{code}: Es ist kein Name hinterlegt."
        raise UsageError(f"{code} has no name", operator_text=text)
    said: Facts = {"person": person, "reason": reason}
    installation.note(connection, tenant, chains.Entry(STRUCK, said, by))


def resolve(writing: Writing, names: Namebook, tenant: str, request: Request) -> Named:
    """Return the name behind a code to two persons who may know it; the event comes first.

    Raises:
        UsageError: A condition does not hold; that it was asked for is an event.
        LedgerUnavailable: The store of names or the ledger does not answer.
    """
    for code in (request.code, request.by, request.second):
        require_code(code, "Auflösen")  # what may be a name gets into no event
    try:
        with writing() as connection:
            named = _resolved(connection, names, tenant, request)
            said: Facts = {"code": request.code, "second": request.second}
            entry = chains.Entry(RESOLVED, {**said, "reason": request.reason}, request.by)
            installation.note(connection, tenant, entry)
    except UsageError as error:
        with writing() as connection:
            refused: Facts = {"code": request.code, "second": request.second, "why": str(error)}
            installation.note(connection, tenant, chains.Entry(REFUSED, refused, request.by))
        raise
    return named


def resolvable(
    connection: sa.Connection, tenant: str, codes: Collection[str], acted_at: dt.datetime
) -> frozenset[str]:
    """Return which codes stood for a person with a name at `acted_at` and still can be resolved."""
    if not codes:
        return frozenset()
    values = {"of_tenant": tenant, "codes": sorted(codes), "acted_at": acted_at}
    return frozenset(connection.execute(_RESOLVABLE, values).scalars())


def named_persons(connection: sa.Connection, tenant: str) -> frozenset[str]:
    """Return the persons whom the ledger says the store of names knows."""
    query = sa.select(_named.c.person).where(_named.c.tenant == tenant)
    return frozenset(connection.execute(query).scalars())


def _resolved(connection: sa.Connection, names: Namebook, tenant: str, request: Request) -> Named:
    people.require_apart(
        connection, tenant, {"Auflösung": request.by, "Zustimmung": request.second}
    )
    for code in (request.by, request.second):
        if not any(people.has_role(connection, tenant, code, role) for role in _RESOLVERS):
            text = (
                f"{code} gehört weder zur Revision noch zu ihrer Vertretung. Auflösen können nur "
                "zwei Personen mit diesen Rollen gemeinsam."
            )
            raise UsageError(f"{code} is no auditor", operator_text=text)
    if not request.reason.strip():
        text = f"{request.code}: Für das Auflösen fehlt die Angabe --reason (Grund)."
        raise UsageError("no reason", operator_text=text)
    named = names.named(tenant, _person(connection, tenant, request.code))
    if named is None:
        text = f"{request.code}: Es ist kein Name hinterlegt, oder er wurde gelöscht."
        raise UsageError(f"{request.code} has no name", operator_text=text)
    if _words(named.name) & _words(request.reason):
        text = "Der Grund darf den Namen nicht nennen: er bleibt im Protokoll."
        raise UsageError("the reason repeats the name", operator_text=text)
    return named


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{2,}", text.lower()))


def _person(connection: sa.Connection, tenant: str, code: str) -> str:
    """Return the person of a code, also of one that has ended.

    Raises:
        UsageError: The code is not known.
    """
    known = (_operator.c.tenant == tenant, _operator.c.code == code)
    person = connection.execute(sa.select(_operator.c.person).where(*known)).scalar()
    if person is None:
        text = f"Das Kürzel {code} ist nicht gemeldet."
        raise UsageError(f"operator {code} is not known", operator_text=text)
    return str(person)
