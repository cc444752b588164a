"""Released profiles and procedures, the need for protection of batches, names out of the ledger.

Names of operators move to the store of names, which whoever opens the ledger hands over. Who had
a name and was not registered becomes a known person, because that is what the name says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from ingest.document import new_id
from ingest.errors import Misconfigured
from ingest.ledger.columns import database_now

revision = "0012"
down_revision = "0011"
branch_labels = depends_on = None

_APPROVED = sa.text("stage = 'approved'")


def _given(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _act(name: str) -> tuple[sa.Column[Any], sa.Column[Any]]:
    return sa.Column(f"{name}_by", sa.Text), sa.Column(f"{name}_at", sa.BigInteger)


def upgrade() -> None:
    """Make the tables; batches accepted before have no need for protection on record."""
    _profile_file()
    op.create_table(
        "procedure_text",
        _given("tenant"),
        _given("sha256"),
        _given("kind"),
        _given("name"),
        _given("media_type"),
        _given("size", sa.BigInteger),
        _given("released_by"),
        _given("released_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("tenant", "sha256", name="pk_procedure_text"),
    )
    op.create_table(
        "named_person",
        _given("tenant"),
        _given("person"),
        _given("named_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("tenant", "person", name="pk_named_person"),
        sqlite_with_rowid=False,
    )
    op.add_column("batch", sa.Column("protection", sa.Text))
    _move_names()
    op.drop_table("operator_name")


def _profile_file() -> None:
    op.create_table(
        "profile_file",
        _given("tenant"),
        _given("sha256"),
        _given("name"),
        _given("version"),
        _given("treatment"),
        _given("stage"),
        _given("content", sa.LargeBinary),
        sa.Column("procedure_sha256", sa.Text),
        sa.Column("protection", sa.Text),
        _given("author"),
        _given("author_person"),
        _given("submitted_at", sa.BigInteger),
        *_act("tested"),
        sa.Column("test_result", sa.Text),
        _given("test_documents"),
        *_act("approved"),
        *_act("withdrawn"),
        sa.Column("withdrawn_reason", sa.Text),
        sa.PrimaryKeyConstraint("tenant", "sha256", name="pk_profile_file"),
    )
    op.create_index(
        "uq_profile_file_approved",
        "profile_file",
        ["tenant", "name"],
        unique=True,
        sqlite_where=_APPROVED,
        postgresql_where=_APPROVED,
    )


def _move_names() -> None:
    connection = op.get_bind()
    named = connection.execute(sa.text("SELECT tenant, code, name FROM operator_name")).all()
    if not named:
        return
    keep: Callable[[str, str, str], None] | None = context.config.attributes.get("keep_name")
    if keep is None:
        text = (
            "In der Datenbank stehen noch Namen von Personen. Bitte einmal mit dem Befehl "
            "»scanstrasse check« öffnen: er bringt sie in den Speicher der Namen."
        )
        raise Misconfigured("names in the ledger have no place to go", operator_text=text)
    moment = connection.execute(sa.select(database_now())).scalar_one()
    for row in named:
        at = {"tenant": row.tenant, "at": moment}
        keep(row.tenant, _person(connection, row.code, at), row.name)


def _person(connection: sa.Connection, code: str, at: dict[str, Any]) -> str:
    """Return the person of a code, who is marked as named, and known from now if not before."""
    known = sa.text("SELECT person FROM operator WHERE tenant = :tenant AND code = :code")
    person = connection.execute(known, {**at, "code": code}).scalar()
    if person is None:
        person = new_id()
        new = sa.text(
            "INSERT INTO operator (tenant, code, person, since_at)"
            " VALUES (:tenant, :code, :person, :at)"
        )
        connection.execute(new, {**at, "code": code, "person": person})
    mark = sa.text(
        "INSERT INTO named_person (tenant, person, named_at) VALUES (:tenant, :person, :at)"
        " ON CONFLICT DO NOTHING"
    )
    connection.execute(mark, {**at, "person": person})
    return str(person)


def downgrade() -> None:
    """Drop all; the names stay in the store of names."""
    op.create_table(
        "operator_name",
        _given("tenant"),
        _given("code"),
        _given("name"),
        sa.PrimaryKeyConstraint("tenant", "code", name="pk_operator_name"),
    )
    op.drop_column("batch", "protection")
    op.drop_table("named_person")
    op.drop_table("procedure_text")
    op.drop_table("profile_file")
