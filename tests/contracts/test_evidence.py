"""Evidence in the ledger, on both databases: what waits, what is recorded, what is erased."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ingest import clock
from ingest.document import Step
from ingest.ledger import Ledger, evidence, evidenced, integrity, migrating, schema
from ingest.ledger.agreement import Examination
from ingest.ledger.erasure import erase
from ingest.ledger.evidence import Group, Stamp, joined
from tests.plugins import ledgers
from tests.plugins.authority import Authority
from tests.plugins.evidence import token
from tests.plugins.ledgers import arrival, broken, change, deliver, digest, everything, rows
from workers.evidence import tokens
from workers.evidence.assembly import faults, records
from workers.evidence.record import token_digests
from workers.evidence.tree import BRANCH, Tree, combined
from workers.evidence.verification import NotProved, prove

YEAR = dt.timedelta(days=365)


def stamped(authority: Authority, tree: Tree, renew_before: dt.datetime | None = None) -> Stamp:
    encoded = token(authority, tree.root)
    said = tokens.read(encoded)
    return Stamp(
        algorithm="sha256",
        root=tree.root,
        leaves=tree.leaves,
        token=encoded,
        stamped_at=said.stamped_at,
        authority=said.authority,
        certificate_ends_at=said.ends_at,
        renew_before=renew_before or said.ends_at,
    )


def waiting(ledger: Ledger, tenant: str = "default", most: int = 1000) -> list[Group]:
    with ledger.reading() as connection:
        return evidence.waiting(connection, tenant, most)


def newest(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        return evidence.newest(connection, "default")


def secure(
    ledger: Ledger,
    authority: Authority,
    groups: list[Group] | None = None,
    *,
    seen: int | None = None,
    renew_before: dt.datetime | None = None,
) -> int | None:
    """Give documents evidence, by default all that wait."""
    groups = waiting(ledger) if groups is None else groups
    seen = newest(ledger) if seen is None else seen
    tree = Tree([combined(group.members) for group in groups])
    with ledger.writing() as connection:
        return evidence.record(
            connection,
            "default",
            seen=seen,
            stamp=stamped(authority, tree, renew_before),
            leaves=[(group, at // BRANCH, at % BRANCH) for at, group in enumerate(groups)],
            branches=((joined(one.leaves), joined(one.path)) for one in tree.branches()),
        )


def renew(ledger: Ledger, authority: Authority, moment: dt.datetime, **more: Any) -> bool:
    with ledger.reading() as connection:
        due = evidence.due(connection, "default", moment)
    tree = Tree([combined(token_digests(one.tokens)) for one in due])
    paths = [joined(path) for path in tree.paths()]
    with ledger.writing() as connection:
        return evidence.record_renewal(
            connection,
            "default",
            seen=more.pop("seen", newest(ledger)),
            stamp=stamped(authority, tree, **more),
            renewed=[(one.number, path) for one, path in zip(due, paths, strict=True)],
        )


def proofs(ledger: Ledger) -> dict[str, tuple[tuple[bytes, ...], bytes]]:
    ids = [row.id for row in rows(ledger, schema.document)]
    with ledger.reading() as connection:
        return {
            document: (members, encoded) for document, members, encoded in records(connection, ids)
        }


def found(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.reading() as connection:
        return list(faults(connection, "default"))


def test_what_is_delivered_waits_and_what_is_on_its_way_does_not(ledger: Ledger) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    ledger.accept(arrival(tenant="other"))
    deliver(ledger)
    ledger.accept(arrival())
    ledgers.claim_at(ledger, Step.DELIVERY, ((1,),))
    delivered = {row.id for row in rows(ledger, schema.document) if row.stage == "delivered"}
    own, others = waiting(ledger), waiting(ledger, "other")
    assert {group.document for group in own + others} == delivered
    assert (len(own), len(others)) == (2, 2)
    assert len(waiting(ledger, most=1)) == 1


def test_a_group_is_original_note_and_pdf(ledger: Ledger) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    (source,) = rows(ledger, schema.batch_source)
    for group in waiting(ledger):
        made = [digest(f"note {group.document}"), digest(f"{group.document}/sealing")]
        assert {member.hex() for member in group.members} == {source.sha256, *made}


def test_an_original_alone_gets_a_random_companion(ledger: Ledger) -> None:
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    change(ledger, sa.delete(schema.rendition))
    (source,) = rows(ledger, schema.batch_source)
    (first,), (second,) = waiting(ledger), waiting(ledger)
    assert bytes.fromhex(source.sha256) in first.members
    assert len(first.members) == len(second.members) == 2
    assert set(first.members) != set(second.members)


def test_secured_documents_wait_no_more_and_their_records_prove_them(
    ledger: Ledger, authority: Authority
) -> None:
    for _ in range(3):
        ledger.accept(arrival())
    deliver(ledger)
    groups = waiting(ledger)
    assert secure(ledger, authority) == len(groups) == 6
    assert waiting(ledger) == []
    made = proofs(ledger)
    for group in groups:
        members, encoded = made[group.document]
        assert members == group.members
        (link,) = prove(encoded, members)
        assert link.confirmed_at is None
        for other in groups:
            if other is not group:
                with pytest.raises(NotProved):
                    prove(encoded, other.members)
    assert found(ledger) == []
    assert broken(ledger) == []
    with ledger.reading() as connection:
        assert list(Examination(connection, "default")) == []
    (said,) = [row for row in rows(ledger, schema.event) if row.kind == evidence.STAMPED]
    assert said.chain == "installation:default"


def test_more_documents_than_one_branch_holds(ledger: Ledger, authority: Authority) -> None:
    count = BRANCH + 3
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    (row,) = rows(ledger, schema.document)
    copies = [{**row._mapping, "id": f"{row.id[:-4]}{number:04}"} for number in range(count)]
    change(ledger, sa.insert(schema.document).values(copies))
    assert secure(ledger, authority) == count + 1
    assert len(rows(ledger, schema.evidence_branch)) == 2
    for members, encoded in proofs(ledger).values():
        prove(encoded, members)
    assert found(ledger) == []


def test_a_stamped_batch_that_was_not_recorded_is_made_again(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    groups = waiting(ledger)
    token(authority, Tree([combined(group.members) for group in groups]).root)
    assert waiting(ledger) == groups
    assert secure(ledger, authority) == 2


def test_of_two_machines_with_timestamps_over_the_same_one_is_refused(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    groups, seen = waiting(ledger), newest(ledger)
    assert secure(ledger, authority, groups, seen=seen) == 2
    before = everything(ledger)
    assert secure(ledger, authority, groups, seen=seen) is None
    assert everything(ledger) == before


def test_several_batches_are_renewed_by_one_timestamp_again_and_again(
    ledger: Ledger, authority: Authority
) -> None:
    now = clock.now()
    for ends in (now + YEAR, now + 2 * YEAR, now + 9 * YEAR):
        ledger.accept(arrival())
        deliver(ledger)
        secure(ledger, authority, renew_before=ends)
    assert renew(ledger, authority, now + 3 * YEAR, renew_before=now + 5 * YEAR)
    assert renew(ledger, authority, now + 10 * YEAR, renew_before=now + 20 * YEAR)
    with ledger.reading() as connection:
        assert evidence.due(connection, "default", now + 15 * YEAR) == []
        assert evidenced.account(connection, "default")["waiting"] == 0
        said = evidenced.account(connection, "default")
    assert dt.datetime.fromisoformat(said["renew_before"]) == now + 20 * YEAR
    lengths = [len(prove(encoded, members)) for members, encoded in proofs(ledger).values()]
    assert sorted(lengths) == [2, 2, 3, 3, 3, 3]
    assert found(ledger) == []
    kinds = [row.kind for row in rows(ledger, schema.event)]
    assert (kinds.count(evidence.STAMPED), kinds.count(evidence.RENEWED)) == (3, 2)


def test_a_renewal_that_something_came_before_is_refused(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    secure(ledger, authority, renew_before=clock.now())
    seen = newest(ledger)
    later = clock.now() + YEAR
    assert renew(ledger, authority, later, seen=seen)
    before = everything(ledger)
    assert not renew(ledger, authority, later + YEAR, seen=seen)
    assert everything(ledger) == before


def test_an_erased_document_leaves_no_leaf_and_its_neighbours_their_proofs(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    other = ledger.accept(arrival())
    deliver(ledger)
    groups = {group.document: group for group in waiting(ledger)}
    secure(ledger, authority)
    kept = [row.id for row in rows(ledger, schema.document) if row.batch_id != other.batch_id]
    gone = [document for document in groups if document not in kept]
    with ledger.writing() as connection:
        erase(connection, other.batch_id, "op17", "Irrläufer")
    assert {row.document_id for row in rows(ledger, schema.evidence_leaf)} == set(kept)
    held = b"".join(
        value
        for table in schema.metadata.sorted_tables
        for row in rows(ledger, table)
        for value in row
        if isinstance(value, bytes)
    )
    content = everything(ledger)
    for document in gone:
        for member in groups[document].members:
            assert member not in held
            assert member.hex() not in content
    made = proofs(ledger)
    assert made.keys() == set(kept)
    for members, encoded in made.values():
        prove(encoded, members)
    assert found(ledger) == []
    assert broken(ledger) == []
    assert waiting(ledger) == []


def test_what_was_erased_while_the_authority_was_asked_gets_no_leaf(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    other = ledger.accept(arrival())
    deliver(ledger)
    groups = waiting(ledger)
    with ledger.writing() as connection:
        erase(connection, other.batch_id, "op17", "Irrläufer")
    assert secure(ledger, authority, groups) == 2
    batches = {row.id: row.batch_id for row in rows(ledger, schema.document)}
    leaves = rows(ledger, schema.evidence_leaf)
    assert other.batch_id not in {batches[row.document_id] for row in leaves}
    assert found(ledger) == []


_batch, _branch, _leaf = schema.evidence_batch, schema.evidence_branch, schema.evidence_leaf


@pytest.mark.parametrize(
    ("column", "named"),
    [
        (_batch.c.token, "Zeitstempel"),
        (_branch.c.leaves, "Zeitstempel"),
        (_branch.c.path, "Zeitstempel"),
        (_leaf.c.members, "Dokument"),
        (schema.evidence_renewal.c.path, "Zeitstempel"),
    ],
)
def test_a_flipped_byte_is_found_and_named(
    ledger: Ledger, authority: Authority, column: sa.Column[bytes], named: str
) -> None:
    for _ in range(2):
        ledger.accept(arrival())
        deliver(ledger)
        secure(ledger, authority, renew_before=clock.now())
    ledger.accept(arrival())
    deliver(ledger, ((1,),))
    secure(ledger, authority)
    assert renew(ledger, authority, clock.now() + dt.timedelta(hours=1))
    assert found(ledger) == []
    with ledger.reading() as connection:
        value = connection.execute(sa.select(column).order_by(sa.func.length(column).desc()))
        held = value.scalars().first()
    assert held is not None
    whole = held or b"\0" * 32
    altered = whole[:-1] + bytes([whole[-1] ^ 1])
    change(ledger, sa.update(column.table).where(column == held).values({column: altered}))
    problems = found(ledger)
    assert problems
    assert problems[0][0].startswith(named)


def test_a_lost_timestamp_is_found(ledger: Ledger, authority: Authority) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    secure(ledger, authority)
    for table in (_leaf, _branch, _batch):
        change(ledger, sa.delete(table))
    assert found(ledger) == [("Zeitstempel 1", "das Ereignis nennt ihn, er fehlt")]


def test_evidence_comes_back_with_a_copy(
    ledger: Ledger, authority: Authority, tmp_path: Any
) -> None:
    from ingest.ledger import backup, open_ledger

    ledger.accept(arrival())
    deliver(ledger)
    secure(ledger, authority, renew_before=clock.now())
    assert renew(ledger, authority, clock.now() + YEAR)
    with ledger.reading() as connection:
        backup.copy_ledger(connection, tmp_path / "copy")
    target = open_ledger(f"sqlite:///{tmp_path / 'restored.sqlite'}")
    with target.writing() as connection:
        copied = backup.restore_ledger(connection, tmp_path / "copy", "op17")
    assert copied.breaks == ()
    assert proofs(target) == proofs(ledger)
    assert found(target) == []
    target.close()


def test_the_anchored_roots_cover_what_was_secured(ledger: Ledger, authority: Authority) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    with ledger.reading() as connection:
        before = integrity.root_of(connection, "default")
    secure(ledger, authority)
    with ledger.reading() as connection:
        assert integrity.root_of(connection, "default").heads == before.heads + 1


def test_finished_documents_are_found_through_their_index(ledger: Ledger) -> None:
    asked: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if "NOT (EXISTS" in statement and not statement.startswith("EXPLAIN"):
            query = "QUERY PLAN " if connection.dialect.name == "sqlite" else ""
            cursor.execute(f"EXPLAIN {query}{statement}", parameters)
            asked.extend(str(line) for line in cursor.fetchall())

    sa.event.listen(ledger._engine, "before_cursor_execute", explain)
    try:
        waiting(ledger)
    finally:
        sa.event.remove(ledger._engine, "before_cursor_execute", explain)
    assert any("ix_document_finished" in line for line in asked), asked


def test_evidence_of_an_older_installation_is_still_evidence(
    ledger: Ledger, authority: Authority
) -> None:
    ledger.accept(arrival())
    deliver(ledger)
    secure(ledger, authority)
    before = proofs(ledger)
    ledgers.downgrade(ledger, "0006")
    migrating.migrate(ledger._engine)
    assert proofs(ledger) == before
    assert found(ledger) == []
    assert [row.rehashed_by for row in rows(ledger, schema.evidence_batch)] == [None]
