"""Who may pass over a count of sheets: from need "high" on a supervisor only (A.DV.2, A.NB.3).

A count that is given after scanning makes the comparison hold by whatever it is, so it is passing
over it as well. What the batch needs is the highest of all that its paper may be (TR-03138 V1.5,
A 2.4): of what is known of the batch, of the document's class, and of the classes that its sheets
name, also before separation has taken them over and where a person wants them ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from ingest.document import Facts, Role, Step
from ingest.ledger import people, schema
from profiles.model import PROFILE_ACTION
from profiles.protection import MEASURES, highest

Row = sa.Row[Any]
_batch, _document, _page, _version, _file = (
    schema.batch,
    schema.document,
    schema.page,
    schema.profile_version,
    schema.profile_file,
)

_BATCH = sa.select(_batch).where(_batch.c.id == sa.bindparam("of_batch"))
_CLASSES = sa.select(_document.c.profile_sha256).where(
    _document.c.batch_id == sa.bindparam("of_batch"), _document.c.profile_sha256.is_not(None)
)
_PAGES = sa.select(_page.c.facts).where(_page.c.batch_id == sa.bindparam("of_batch"))
_CONTENT = sa.select(_version.c.content).where(
    _version.c.tenant == sa.bindparam("of_tenant"), _version.c.sha256 == sa.bindparam("of_sha256")
)
_USED = sa.select(_version.c.content).where(
    _version.c.tenant == sa.bindparam("of_tenant"), _version.c.name == sa.bindparam("of_name")
)
_SUBMITTED = sa.select(_file.c.protection).where(
    _file.c.tenant == sa.bindparam("of_tenant"), _file.c.name == sa.bindparam("of_name")
)


def require_entitled(
    connection: sa.Connection, row: Row, by: str, settings: Mapping[str, str]
) -> None:
    """Refuse settings that pass over a count to whoever may not (A.DV.2, A.NB.3).

    Args:
        connection: Of the release.
        row: Of the open work that is released.
        by: Operator code.
        settings: Of the release.

    Raises:
        UsageError: The paper is counted and `by` is no supervisor.
    """
    if settings.get("count") != "accepted" and "expected_sheets" not in settings:
        return
    if MEASURES[highest(_needs(connection, row.tenant, row.batch_id))].counted:
        people.require_role(connection, row.tenant, by, Role.SUPERVISOR)


def _needs(connection: sa.Connection, tenant: str, batch_id: str) -> Iterator[str]:
    batch = connection.execute(_BATCH, {"of_batch": batch_id}).one()
    yield _integrity(batch.protection)
    own = _content(connection, tenant, batch.profile_sha256)
    yield _integrity(own.get("protection"))
    for sha256 in set(connection.execute(_CLASSES, {"of_batch": batch_id}).scalars()):
        yield _integrity(_content(connection, tenant, sha256).get("protection"))
    patches = (own.get("separation") or {}).get("patches") or {}
    pages = connection.execute(_PAGES, {"of_batch": batch_id}).scalars()
    for name in {name for facts in pages for name in _named(facts, patches)}:
        values = {"of_tenant": tenant, "of_name": name}
        for content in connection.execute(_USED, values).scalars():
            yield _integrity(content.get("protection"))
        for protection in connection.execute(_SUBMITTED, values).scalars():
            yield _integrity(protection)


def _content(connection: sa.Connection, tenant: str, sha256: str) -> Facts:
    values = {"of_tenant": tenant, "of_sha256": sha256}
    found: Facts = connection.execute(_CONTENT, values).scalar_one()
    return found


def _integrity(protection: Facts | None) -> str:
    return str((protection or {}).get("integrity", "normal"))


def _named(facts: Facts, patches: Mapping[str, str]) -> Iterator[str]:
    """Yield the classes that a page names as a sheet, by what is written on it or its bars."""
    seen: Facts = facts.get(Step.EXAMINATION, {})
    found: Facts = seen.get("separator") or {}
    if name := (found.get("payload") or {}).get("CLASS"):
        yield str(name)
    bars = seen.get("patch") or (found.get("text") if found.get("kind") == "patch" else None)
    action = patches.get(str(bars), "")
    if action.startswith(PROFILE_ACTION):
        yield action.removeprefix(PROFILE_ACTION)
