"""Which root is over which file and which image: of a batch's first capture, or of a rescan.

What was scanned again comes later than the roots of its batch, so it has roots of its own,
made in the same transaction: a receipt of one file, a capture of its images. They are kept
under the batch and the ordinal of the file. Earlier versions made none: a rescan of theirs gets
its roots when securing begins, unless those of its batch were made only after it, when all
stood together; then it is under these. Kinds and order of the batch's events tell, which no
erasure takes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from ingest.document import Facts, RenditionKind
from ingest.hashtree import SIZE
from ingest.ledger import schema, witness
from ingest.ledger.witness import CAPTURE, NAMED, RECEIPT, SUPPLEMENT, SUPPLEMENTED

Row = sa.Row[Any]
_source, _page, _root, _event = (
    schema.batch_source,
    schema.page,
    schema.witness_root,
    schema.event,
)

#: The event of a batch that names what was scanned again, and its roots.
PAGES_RESCANNED: Final = "pages_rescanned"
#: The event that says that roots were made later than they could have been.
LATER: Final = "witnessed"
#: Under which name that event says it of what was scanned again.
RESCANS: Final = "rescans"
#: Stands in the unit of a rescan between batch and ordinal.
BETWEEN: Final = "/"
_OWN_UNIT: Final = _source.c.batch_id + BETWEEN + sa.cast(_source.c.ordinal, sa.Text)
#: A file that was scanned again has roots of its own.
ROOTED: Final = sa.exists().where(_root.c.kind == RECEIPT, _root.c.unit == _OWN_UNIT)


class Leaf(NamedTuple):
    """What a leaf is of: ordinal of a source or number of a page, None for a manifest.

    The digest is empty where it was erased.
    """

    key: int | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Again:
    """A file that was scanned again.

    Attributes:
        rooted: It has roots of its own.
        unit: Under which roots it is: its own, made or to be made, or those of its batch.
    """

    batch: str
    ordinal: int
    rooted: bool
    unit: str


def unit_of(batch_id: str, ordinal: int) -> str:
    """Return under which unit the roots of a file that was scanned again are kept."""
    return f"{batch_id}{BETWEEN}{ordinal}"


def batch_of(unit: str) -> str:
    """Return the batch to which the unit of a receipt or capture belongs."""
    return unit.partition(BETWEEN)[0]


def again(connection: sa.Connection, batches: Collection[str]) -> list[Again]:
    """Return the files of some batches that were scanned again, in the order in which they came."""
    query = sa.select(_source.c.batch_id, _source.c.ordinal, ROOTED.label("rooted")).where(
        _source.c.batch_id.in_(batches), _source.c.rescan_of.is_not(None)
    )
    rows = connection.execute(query.order_by(_source.c.batch_id, _source.c.ordinal)).all()
    bare = {row.batch_id for row in rows if not row.rooted}
    before = _before_their_roots(connection, bare) if bare else {}
    found, seen = [], dict.fromkeys(bare, 0)
    for row in rows:
        seen[row.batch_id] = number = seen.get(row.batch_id, 0) + 1
        covered = not row.rooted and number <= before.get(row.batch_id, 0)
        unit = row.batch_id if covered else unit_of(row.batch_id, row.ordinal)
        one = Again(batch=row.batch_id, ordinal=row.ordinal, rooted=bool(row.rooted), unit=unit)
        found.append(one)
    return found


def _before_their_roots(connection: sa.Connection, batches: Collection[str]) -> dict[str, int]:
    """Return how many rescans of each batch came before roots of it were made later."""
    query = sa.select(_event.c.chain, _event.c.kind).where(
        _event.c.chain.in_(batches), _event.c.kind.in_((PAGES_RESCANNED, LATER))
    )
    came: dict[str, int] = {}
    found: dict[str, int] = {}
    for chain, kind in connection.execute(query.order_by(_event.c.chain, _event.c.seq)):
        if kind == LATER:
            found[chain] = came.get(chain, 0)
        else:
            came[chain] = came.get(chain, 0) + 1
    return found


def leaves(connection: sa.Connection, kind: str, batches: Collection[str]) -> dict[str, list[Leaf]]:
    """Return what the roots of some batches are over, by their units, in order of the leaves.

    Of an arrival that are its sources, then what the station said of them; a manifest that was
    erased is missing at the end. Of a capture it is the images, as the pages are numbered; of a
    supplementary note that and its seal, none where they were erased.

    Args:
        connection: In a transaction.
        kind: `RECEIPT`, `CAPTURE` or `SUPPLEMENT`.
        batches: Their ids; of supplementary notes those of their documents.
    """
    units: dict[tuple[str, int | None], str] = {
        (one.batch, one.ordinal): one.unit for one in again(connection, batches)
    }
    found: dict[str, list[Leaf]] = {}
    find = {RECEIPT: _files, CAPTURE: _images, SUPPLEMENT: _supplements}[kind]
    for batch, ordinal, leaf in find(connection, batches):
        found.setdefault(units.get((batch, ordinal), batch), []).append(leaf)
    return found


_Found = Iterator[tuple[str, int | None, Leaf]]


def _images(connection: sa.Connection, batches: Collection[str]) -> _Found:
    query = sa.select(_page.c.batch_id, _page.c.source, _page.c.number, _page.c.sha256).where(
        _page.c.batch_id.in_(batches)
    )
    for row in connection.execute(query.order_by(_page.c.batch_id, _page.c.number)):
        yield row.batch_id, row.source, Leaf(row.number, row.sha256)


def _files(connection: sa.Connection, batches: Collection[str]) -> _Found:
    own = sa.select(_source.c.batch_id, _source.c.ordinal, _source.c.sha256).where(
        _source.c.batch_id.in_(batches), _source.c.enclosure_of.is_(None)
    )
    for row in connection.execute(own.order_by(_source.c.batch_id, _source.c.ordinal)):
        yield row.batch_id, row.ordinal, Leaf(row.ordinal, row.sha256)
    made = schema.rendition
    said = sa.select(made.c.unit_id, made.c.sha256).where(
        made.c.unit_id.in_(batches), made.c.kind == RenditionKind.MANIFEST
    )
    for batch, sha256 in connection.execute(said.order_by(made.c.id)):
        yield batch, None, Leaf(None, sha256)


def _supplements(connection: sa.Connection, documents: Collection[str]) -> _Found:
    made = schema.rendition
    query = sa.select(made.c.unit_id, made.c.sha256).where(made.c.unit_id.in_(documents))
    for part in SUPPLEMENTED:
        for document, sha256 in connection.execute(query.where(made.c.kind == part)):
            yield document, None, Leaf(None, sha256)


def digests(connection: sa.Connection, kind: str, unit: str) -> list[str]:
    """Return the digests under one unit, in the order of its leaves; an erased one is empty."""
    found = leaves(connection, kind, [batch_of(unit)])
    return [leaf.sha256 for leaf in found.get(unit, [])]


def places(connection: sa.Connection, kind: str, batch_id: str) -> dict[int, tuple[str, int]]:
    """Return unit and place of each source of a batch, by ordinal, or of each page, by number."""
    return {
        leaf.key: (unit, at)
        for unit, under in leaves(connection, kind, [batch_id]).items()
        for at, leaf in enumerate(under)
        if leaf.key is not None
    }


def forget(
    connection: sa.Connection, kind: str, batch_id: str, keys: Collection[int] | None = None
) -> None:
    """Take the salts of what some sources or pages of a batch are: nobody can try them out.

    Args:
        connection: In the writing transaction that erases them, before their rows change.
        kind: `RECEIPT` or `CAPTURE`.
        batch_id: Whose.
        keys: Ordinals of sources, with which all manifests go, or numbers of pages; None for
            all of the batch.
    """
    for unit, under in {batch_id: [], **leaves(connection, kind, [batch_id])}.items():
        gone = None
        if keys is not None:
            gone = {at for at, leaf in enumerate(under) if leaf.key in keys}
            if kind == RECEIPT and unit == batch_id:
                gone |= _manifests(connection, batch_id, under)
        witness.forget(connection, kind, unit, gone)


def _manifests(connection: sa.Connection, batch_id: str, under: list[Leaf]) -> set[int]:
    row = witness.of_unit(connection, RECEIPT, batch_id)
    sources = sum(leaf.key is not None for leaf in under)
    return set() if row is None else set(range(sources, len(row.leaves) // SIZE))


def named(event: Row) -> Iterator[tuple[str, str, str]]:
    """Yield the roots that an event of a batch names: kind, unit and root in hex."""
    said: Facts = event.payload
    own = event.chain
    if event.kind == PAGES_RESCANNED:
        own = unit_of(event.chain, said["source"]["ordinal"])
    more: Iterable[Facts] = said.get(RESCANS, ()) if event.kind == LATER else ()
    both = [(own, said), *((unit_of(event.chain, one["source"]), one) for one in more)]
    for unit, roots in both:
        for kind, name in NAMED.items():
            if name in roots:
                yield kind, unit, roots[name]
