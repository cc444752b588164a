"""Operator codes, the persons behind them, and what each is entrusted with.

A person has one opaque id and one or more codes. Whatever demands a role or two different
persons asks here, inside the transaction of the act itself, so that no rule can be passed
between asking and acting (BSI TR-03138 V1.5, A.O.1e–g, A.AM.IN.SH.1). Names are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Final

import sqlalchemy as sa

from ingest.document import FORBIDDEN_PAIRS, ROLE_NAMES, Facts, Role, new_id
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, schema
from ingest.ledger.engine import hold
from ingest.ledger.persons import require_code

_operator, _role = schema.operator, schema.operator_role

#: Events of the tenant's own chain.
REGISTERED: Final = "operator_registered"
LEFT: Final = "operator_left"
ROLE_GIVEN: Final = "role_given"
ROLE_ENDED: Final = "role_ended"

_PERSON = sa.select(_operator.c.person).where(
    _operator.c.tenant == sa.bindparam("of_tenant"),
    _operator.c.code == sa.bindparam("of_code"),
    _operator.c.ended_at.is_(None),
)
_FIRST = (
    sa.select(_operator.c.code)
    .where(_operator.c.tenant == sa.bindparam("of_tenant"))
    .order_by(_operator.c.since_at, _operator.c.code)
    .limit(1)
)
_ROLES = (
    sa.select(_operator.c.person, _operator.c.code, _role.c.role)
    .join(
        _role,
        sa.and_(_role.c.tenant == _operator.c.tenant, _role.c.code == _operator.c.code),
    )
    .where(
        _operator.c.tenant == sa.bindparam("of_tenant"),
        _operator.c.ended_at.is_(None),
        _role.c.ended_at.is_(None),
    )
)


def register(
    connection: sa.Connection, tenant: str, code: str, *, by: str, same_as: str | None = None
) -> str:
    """Make a code known and return its person's opaque id.

    The first code of a tenant registers itself: somebody has to begin.

    Args:
        connection: In a writing transaction.
        tenant: Of the authority.
        code: New here.
        by: The administrator who does it.
        same_as: A code of the same person, which may have ended: who comes back is who left.
            None for a person not known yet.

    Raises:
        UsageError: `code` is no code or known, `same_as` is not known, or `by` is no
            administrator; nothing changed.
    """
    require_code(code, code)
    _begin_change(connection, tenant)
    if code != by or _first(connection, tenant) is not None:
        require_administrator(connection, tenant, by)
    known = connection.execute(
        sa.select(_operator.c.code).where(_operator.c.tenant == tenant, _operator.c.code == code)
    ).first()
    if known is not None:
        text = f"Das Kürzel {code} ist schon vergeben und wird nicht noch einmal vergeben."
        raise UsageError(f"operator {code} is known", operator_text=text)
    person = new_id() if same_as is None else _known_person(connection, tenant, same_as)
    moment = accepting.now(connection)
    row = {"tenant": tenant, "code": code, "person": person, "since_at": moment}
    connection.execute(sa.insert(_operator), row)
    said: Facts = {"code": code, "person": person}
    installation.note(connection, tenant, chains.Entry(REGISTERED, said, by))
    return person


def leave(connection: sa.Connection, tenant: str, code: str, *, by: str) -> None:
    """End a code: it keeps its person and its past, and may do nothing any more.

    Raises:
        UsageError: The code is not known, is the last administrator's, or `by` is no
            administrator; nothing changed.
    """
    _begin_change(connection, tenant)
    require_administrator(connection, tenant, by)
    person_of(connection, tenant, code)
    _require_another_administrator(connection, tenant, code)
    moment = accepting.now(connection)
    of_code = (_operator.c.tenant == tenant, _operator.c.code == code)
    connection.execute(sa.update(_operator).where(*of_code).values(ended_at=moment))
    open_roles = (_role.c.tenant == tenant, _role.c.code == code, _role.c.ended_at.is_(None))
    connection.execute(sa.update(_role).where(*open_roles).values(ended_at=moment, ended_by=by))
    installation.note(connection, tenant, chains.Entry(LEFT, {"code": code}, by))


def give(connection: sa.Connection, tenant: str, code: str, role: Role, *, by: str) -> None:
    """Entrust the person of a code with a role.

    While there never was an administrator, the first code may make itself one.

    Raises:
        UsageError: The code is not known, has the role, or its person has a role that excludes
            it, or `by` is no administrator; nothing changed.
    """
    _begin_change(connection, tenant)
    if not _begins(connection, tenant, code, role, by):
        require_administrator(connection, tenant, by)
    person = person_of(connection, tenant, code)
    held = _of_person(connection, tenant, person)
    if role in held:
        text = f"{code} hat die Rolle {ROLE_NAMES[role]} schon."
        raise UsageError(f"{code} has {role}", operator_text=text)
    for other in held:
        if frozenset({role, other}) in FORBIDDEN_PAIRS:
            text = (
                f"{code}: {ROLE_NAMES[role]} und {ROLE_NAMES[other]} dürfen nicht bei derselben "
                "Person liegen. Bitte eine andere Person wählen oder die andere Rolle beenden."
            )
            raise UsageError(f"{role} excludes {other}", operator_text=text)
    row = {"tenant": tenant, "code": code, "role": role, "given_by": by}
    connection.execute(sa.insert(_role), {**row, "given_at": accepting.now(connection)})
    said: Facts = {"code": code, "role": role}
    installation.note(connection, tenant, chains.Entry(ROLE_GIVEN, said, by))


def take(connection: sa.Connection, tenant: str, code: str, role: Role, *, by: str) -> None:
    """End a role of a code.

    Raises:
        UsageError: The code does not have it, it is the last administrator's, or `by` is no
            administrator; nothing changed.
    """
    _begin_change(connection, tenant)
    require_administrator(connection, tenant, by)
    if role is Role.ADMINISTRATOR:
        _require_another_administrator(connection, tenant, code)
    chosen = (_role.c.tenant == tenant, _role.c.code == code, _role.c.role == role)
    ended = {"ended_at": accepting.now(connection), "ended_by": by}
    changed = connection.execute(
        sa.update(_role).where(*chosen, _role.c.ended_at.is_(None)).values(ended)
    ).rowcount
    if not changed:
        text = f"{code} hat die Rolle {ROLE_NAMES[role]} nicht."
        raise UsageError(f"{code} has no {role}", operator_text=text)
    said: Facts = {"code": code, "role": role}
    installation.note(connection, tenant, chains.Entry(ROLE_ENDED, said, by))


def person_of(connection: sa.Connection, tenant: str, code: str) -> str:
    """Return the opaque id of the person behind a code.

    Raises:
        UsageError: `code` is no operator code, not registered, or has ended.
    """
    require_code(code, code)
    values = {"of_tenant": tenant, "of_code": code}
    person = connection.execute(_PERSON, values).scalar()
    if person is None:
        raise _unknown(code)
    return str(person)


def _unknown(code: str) -> UsageError:
    text = (
        f"Das Kürzel {code} ist nicht gemeldet. Bitte mit »people add {code}« melden lassen: "
        "wer hier entscheidet, muss als Person bestimmbar sein."
    )
    return UsageError(f"operator {code} is not registered", operator_text=text)


def is_registered(connection: sa.Connection, tenant: str, code: str | None) -> bool:
    """Tell whether a code stands for a known person now."""
    if code is None:
        return False
    return connection.execute(_PERSON, {"of_tenant": tenant, "of_code": code}).first() is not None


def has_role(connection: sa.Connection, tenant: str, code: str, role: Role) -> bool:
    """Tell whether the person of a code has a role, under whichever of their codes."""
    person = connection.execute(_PERSON, {"of_tenant": tenant, "of_code": code}).scalar()
    return person is not None and role in _of_person(connection, tenant, str(person))


def is_given(connection: sa.Connection, tenant: str, role: Role) -> bool:
    """Tell whether anybody of a tenant is entrusted with a role now."""
    found = connection.execute(_ROLES, {"of_tenant": tenant})
    return any(row.role == role for row in found)


def require_role(connection: sa.Connection, tenant: str, code: str, role: Role) -> str:
    """Refuse an act by whoever is not entrusted with it; return the person's opaque id.

    Raises:
        UsageError: The code is not registered or its person does not have `role`.
    """
    person = person_of(connection, tenant, code)
    if role not in _of_person(connection, tenant, person):
        text = (
            f"{code} hat die Rolle {ROLE_NAMES[role]} nicht. Bitte eine Person mit dieser Rolle "
            f"entscheiden lassen oder sie mit »people give {code} {role}« erteilen."
        )
        raise UsageError(f"{code} is no {role}", operator_text=text)
    return person


def person_behind(connection: sa.Connection, tenant: str, code: str) -> str | None:
    """Return the person of a code, whether or not it has ended; None for an unknown code.

    A code is given once and never again, so it stands for the same person years later.
    """
    of_code = (_operator.c.tenant == tenant, _operator.c.code == code)
    return connection.execute(sa.select(_operator.c.person).where(*of_code)).scalar()


def require_if_given(connection: sa.Connection, tenant: str, code: str, role: Role) -> None:
    """Refuse an act by whoever is not entrusted with it, once anybody of the tenant is.

    Where nobody has the role yet, any operator code acts and is recorded: a house without
    registered people still has to get its post out of quarantine.

    Raises:
        UsageError: As `require_role`.
    """
    if is_given(connection, tenant, role):
        require_role(connection, tenant, code, role)


def require_known(
    connection: sa.Connection, tenant: str, code: str, role: Role | None = None
) -> None:
    """Refuse a decision by whoever is no person of the house, once it has registered anybody.

    Before that any operator code decides and is recorded, so that a small house can begin.
    With `role` the same holds for it: see `require_if_given`.

    Raises:
        UsageError: `code` is not registered, has ended, or its person does not have `role`.
    """
    if _first(connection, tenant) is not None:
        person_of(connection, tenant, code)
    if role is not None:
        require_if_given(connection, tenant, code, role)


def require_apart(
    connection: sa.Connection,
    tenant: str,
    acts: Mapping[str, str],
    *,
    done: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuse where two acts would be one person's, under whichever codes (Vier-Augen-Prinzip).

    Args:
        connection: Of the transaction of the act.
        tenant: Of the authority.
        acts: Code by what was or is to be done, in German, as the refusal shall name it.
        done: The same for what was done before, perhaps by persons who left since; between
            these nothing is demanded any more.

    Raises:
        UsageError: Two are the same person, or a code is not registered.
    """
    persons = {act: person_of(connection, tenant, code) for act, code in acts.items()}
    for act, code in acts.items():
        for before, other in done.items():
            if person_behind(connection, tenant, other) == persons[act]:
                text = (
                    f"{act} ({code}) und {before} ({other}) müssen zwei verschiedene Personen "
                    "sein. Bitte eine andere Person entscheiden lassen."
                )
                raise UsageError("the same person twice", operator_text=text)
    for (one, first), (other, second) in combinations(persons.items(), 2):
        if first == second:
            text = (
                f"{one} ({acts[one]}) und {other} ({acts[other]}) müssen zwei verschiedene "
                "Personen sein. Bitte eine andere Person entscheiden lassen."
            )
            raise UsageError("the same person twice", operator_text=text)


def require_administrator(connection: sa.Connection, tenant: str, by: str) -> None:
    """Refuse whoever is no administrator.

    Raises:
        UsageError: `by` is no operator code, or not entrusted with it.
    """
    require_code(by, by)
    require_role(connection, tenant, by, Role.ADMINISTRATOR)


def listing(connection: sa.Connection, tenant: str) -> list[Facts]:
    """Return the codes of a tenant with their person, roles in force, and when they ended."""
    rows = connection.execute(
        sa.select(_operator).where(_operator.c.tenant == tenant).order_by(_operator.c.code)
    ).all()
    roles: dict[str, list[str]] = {}
    for row in connection.execute(_ROLES, {"of_tenant": tenant}):
        roles.setdefault(row.code, []).append(row.role)
    return [
        {
            "code": row.code,
            "person": row.person,
            "since_at": row.since_at,
            "ended_at": row.ended_at,
            "roles": sorted(roles.get(row.code, ())),
        }
        for row in rows
    ]


def _of_person(connection: sa.Connection, tenant: str, person: str) -> set[Role]:
    found = connection.execute(_ROLES, {"of_tenant": tenant})
    return {Role(row.role) for row in found if row.person == person}


def _known_person(connection: sa.Connection, tenant: str, code: str) -> str:
    require_code(code, code)
    person = person_behind(connection, tenant, code)
    if person is None:
        raise _unknown(code)
    return person


def _first(connection: sa.Connection, tenant: str) -> str | None:
    """Return the code that was registered first, None while there is none."""
    return connection.execute(_FIRST, {"of_tenant": tenant}).scalar()


def _begins(connection: sa.Connection, tenant: str, code: str, role: Role, by: str) -> bool:
    """Tell whether the first code makes itself administrator where there never was one."""
    if role is not Role.ADMINISTRATOR or not code == by == _first(connection, tenant):
        return False
    ever = (_role.c.tenant == tenant, _role.c.role == Role.ADMINISTRATOR)
    return connection.execute(sa.select(_role.c.code).where(*ever).limit(1)).first() is None


def _require_another_administrator(connection: sa.Connection, tenant: str, code: str) -> None:
    """Refuse where an administrator's code would end and no administrator be left."""
    rows = connection.execute(_ROLES, {"of_tenant": tenant}).all()
    codes = {row.code for row in rows if row.role == Role.ADMINISTRATOR}
    if codes == {code}:
        text = (
            f"{code} ist die letzte Person mit der Rolle {ROLE_NAMES[Role.ADMINISTRATOR]}. Bitte "
            "sie zuerst einer anderen Person erteilen: "
            f"»people give KÜRZEL administrator --by {code}«."
        )
        raise UsageError(f"{code} is the last administrator", operator_text=text)


def _begin_change(connection: sa.Connection, tenant: str) -> None:
    """Let changes of people and roles happen one after the other."""
    hold(connection, f"people of {tenant}")
