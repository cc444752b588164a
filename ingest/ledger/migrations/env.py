"""Alembic's entry: migrations run on the connection and in the transaction they are given."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
