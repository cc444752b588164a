"""Are the profiles in the ledger still those that were used and decided about?

What a version of a profile says is read back from its row: waiting times, shares, levels. Its
digest is that of a file's bytes, which says nothing of the row; so the first event of each
batch and document also names a digest of the content as it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts
from ingest.ledger import chains, schema
from ingest.ledger.columns import Kept

#: The key of that digest in `received` and `captured`; events of before do not have it.
CONTENT: Final = "profile_content_sha256"
_version, _file = schema.profile_version, schema.profile_file
_Named = tuple[str, str]


def content_named(connection: sa.Connection, tenant: str, sha256: str) -> Facts:
    """Return what an event says of a kept version; nothing where none is kept.

    The row counts and not what the caller has at hand: another version of the program may read
    more from the same file.
    """
    content = contents(connection, [(tenant, sha256)]).get((tenant, sha256))
    return {} if content is None else {CONTENT: chains.facts_digest(content)}


def contents(connection: sa.Connection, named: Iterable[_Named]) -> dict[_Named, Facts]:
    """Return kept contents by tenant and digest of the file, in one query."""
    wanted = set(named)
    content = sa.type_coerce(_version.c.content, Kept())
    query = sa.select(_version.c.tenant, _version.c.sha256, content).where(
        _version.c.sha256.in_(sorted({sha256 for _, sha256 in wanted}))
    )
    rows = connection.execute(query)
    return {(t, sha): content for t, sha, content in rows if (t, sha) in wanted}


def altered(row: Any, said: Facts, kept: dict[_Named, str]) -> Iterator[str]:
    """Compare the version under which a unit was taken in with what its first event says."""
    if row.profile_sha256 != said.get("profile_sha256"):
        return  # another version altogether, which is said elsewhere
    if CONTENT in said and kept.get((row.tenant, row.profile_sha256)) != said[CONTENT]:
        yield f"Profil {row.profile}: der Inhalt ist nicht der, der beim Erfassen galt"


def altered_files(connection: sa.Connection, tenant: str | None) -> Iterator[tuple[str, str]]:
    """Yield tenant and reason for each file of a profile whose bytes have another digest."""
    query = sa.select(_file.c.tenant, _file.c.sha256, _file.c.name, _file.c.content)
    query = query.order_by(_file.c.tenant, _file.c.sha256)
    if tenant is not None:
        query = query.where(_file.c.tenant == tenant)
    for of_tenant, sha256, name, content in connection.execute(query):
        if hashlib.sha256(content).hexdigest() != sha256:
            yield of_tenant, f"Profil {name} ({sha256}): die Datei hat eine andere Prüfsumme"
