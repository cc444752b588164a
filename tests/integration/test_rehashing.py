"""Renewing digests: every document read again, both chains in its record, nothing claimed else."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from ingest import clock
from ingest.cli import attesting, evidencing
from ingest.cli.app import App
from ingest.ledger import Ledger, evidenced, schema
from ingest.ledger.erasure import erase
from ingest.sealing_settings import EvidenceSettings
from ingest.settings import Settings
from ingest.store import open_store
from tests.plugins import ledgers
from tests.plugins.authority import Authority, root_file
from tests.plugins.emptied import empty_ledger
from tests.plugins.evidence import Judge
from workers.evidence import rehashing
from workers.evidence.assembly import faults, records
from workers.evidence.offline.containers import Unreadable
from workers.evidence.offline.record import stamps_over
from workers.evidence.preservation import Done, Preservation
from workers.evidence.verification import NotProved, prove

DAY = dt.timedelta(days=1)
PAST = clock.now() - 9 * DAY
FAR = dt.date(2039, 12, 31)
SOON = clock.now().date() + 30 * DAY
Files = list[bytes]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = empty_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def trusting(folder: Path, authority: Authority, sha256_until: dt.date) -> Settings:
    ends = {"sha256": sha256_until, "sha384": SOON, "sha512": FAR, "ecdsa-256": FAR}
    sealing = {"tsa_url": authority.url, "tsa_roots": root_file(authority, folder)}
    given = {"algorithm_ends": ends}
    return Settings(data=folder / "data", sealing=sealing, evidence=given)


def delivered(ledger: Ledger, settings: Settings, number: int) -> dict[str, Files]:
    """Deliver documents whose files are in the store; return the files by document."""
    ledger.accept(ledgers.arrival(ledgers.source(content=f"letter {number}")))
    ledgers.deliver(ledger)
    store = open_store(settings)
    files = {}
    for row in ledgers.rows(ledger, schema.document):
        files[row.id] = [
            f"{what}".encode()
            for what in (f"letter {number}", f"note {row.id}", f"{row.id}/sealing")
        ]
        made = {r.sha256 for r in ledgers.rows(ledger, schema.rendition) if r.unit_id == row.id}
        assert {hashlib.sha256(one).hexdigest() for one in files[row.id][1:]} <= made
        for one in files[row.id]:
            store.put("default", io.BytesIO(one))
    return files


def again(files: Files) -> Callable[[str], list[bytes]]:
    return lambda algorithm: [hashlib.new(algorithm, one).digest() for one in files]


def proofs(ledger: Ledger, files: dict[str, Files]) -> dict[str, list[str]]:
    """Return the algorithms of the timestamps of each document, all of them followed."""
    with ledger.reading() as connection:
        assert list(faults(connection, "default")) == []
        made = {document: encoded for document, _, encoded in records(connection, sorted(files))}
    found = {}
    for document, encoded in made.items():
        rehash = again(files[document])
        links = prove(encoded, rehash("sha256"), rehash)
        found[document] = [link.said.algorithm for link in links]
        apart = stamps_over(encoded, rehash("sha256"), rehash)
        assert [stamp.algorithm for stamp in apart] == found[document]
        if found[document] != ["sha256"]:
            with pytest.raises(NotProved):
                prove(encoded, rehash("sha256"), again([b"altered", *files[document][1:]]))
            for others in ([b"altered", *files[document][1:]], []):
                with pytest.raises(Unreadable):
                    stamps_over(encoded, rehash("sha256"), again(others))
    return found


@pytest.fixture
def renewed(
    ledger: Ledger, tmp_path: Path, sound: Authority, monkeypatch: pytest.MonkeyPatch
) -> tuple[Settings, dict[str, Files]]:
    """Documents secured while SHA-256 was good, and settings by which it ends soon.

    Of the timestamp over their newer digests it is said that it has to be renewed.
    """
    settings = trusting(tmp_path, sound, FAR)
    files = delivered(ledger, settings, 1)
    with Preservation(settings, ledger) as preservation:
        assert preservation.once() == Done(documents=2)
        assert preservation.rehash("default") == 0
    settings = trusting(tmp_path, sound, SOON)
    with Preservation(settings, ledger) as preservation, monkeypatch.context() as past:
        over = clock.now() - DAY
        past.setattr("workers.evidence.preservation.renewal", lambda *_: over)
        assert preservation.once() == Done(rehashed=2)
        assert preservation.rehash("default") == preservation.secure("default") == 0
    return settings, files


def test_documents_get_a_newer_digest_before_the_old_one_ends(
    ledger: Ledger,
    renewed: tuple[Settings, dict[str, Files]],
    tmp_path: Path,
    sound: Authority,
) -> None:
    settings, files = renewed
    assert proofs(ledger, files) == {one: ["sha256", "sha512"] for one in files}
    first, second = ledgers.rows(ledger, schema.evidence_batch)
    assert (first.rehashed_by, second.algorithm) == (second.id, "sha512")
    with ledger.reading() as connection:
        account = evidenced.account(connection, "default")
    assert (account["secured"], account["renew_before"]) == (2, second.renew_before.isoformat())
    more = delivered(ledger, settings, 2)
    with Preservation(settings, ledger) as preservation:
        assert preservation.once() == Done(documents=2, renewed=1)
    after = proofs(ledger, {**more, **files})
    assert {tuple(one) for one in after.values()} == {
        ("sha256", "sha512", "sha512"),
        ("sha512",),
    }
    judge = Judge(tmp_path, sound)
    with ledger.reading() as connection:
        made = list(records(connection, sorted(after)))
    cases = []
    for document, _, encoded in made:
        (file := tmp_path / f"{document}.er").write_bytes(encoded)
        parts = [tmp_path / f"{document}-{number}" for number in range(3)]
        for part, content in zip(parts, {**more, **files}[document], strict=True):
            part.write_bytes(content)
        cases.append((file, parts))
    assert judge.opinions(cases) == ["ok"] * 4


def test_an_erased_document_leaves_no_leaf_in_either_tree(
    ledger: Ledger, renewed: tuple[Settings, dict[str, Files]]
) -> None:
    _, files = renewed
    gone, stays = sorted(files)
    with ledger.writing() as connection:
        erase(connection, gone, "op17", "Irrläufer")
    for table in (schema.evidence_leaf, schema.evidence_earlier):
        assert [row.document_id for row in ledgers.rows(ledger, table)] == [stays]
    assert proofs(ledger, files) == {stays: ["sha256", "sha512"]}


def test_what_was_altered_or_is_missing_gets_no_newer_digest(
    ledger: Ledger, tmp_path: Path, sound: Authority
) -> None:
    settings = trusting(tmp_path, sound, FAR)
    files = delivered(ledger, settings, 1)
    with Preservation(settings, ledger) as preservation:
        preservation.once()
    broken, whole = sorted(files)
    store = open_store(settings)
    store.erase("default", hashlib.sha256(files[broken][1]).hexdigest())
    with (
        Preservation(trusting(tmp_path, sound, SOON), ledger) as preservation,
        capture_logs() as said,
    ):
        assert preservation.once() == Done(rehashed=1)
    assert [one["document"] for one in said if one["event"] == "alarm_not_rehashed"] == [broken]
    assert proofs(ledger, files) == {broken: ["sha256"], whole: ["sha256", "sha512"]}
    assert ledgers.rows(ledger, schema.evidence_batch)[0].rehashed_by is None


def test_what_is_altered_in_earlier_leaves_or_in_what_replaced_them_is_found(
    ledger: Ledger, renewed: tuple[Settings, dict[str, Files]]
) -> None:
    earlier, batch = schema.evidence_earlier, schema.evidence_batch
    chosen = min(renewed[1])
    of_document = f"Dokument {chosen}"
    leaf = sa.update(earlier).where(earlier.c.document_id == chosen)
    for wrong, concerned in (
        (leaf.values(members=b"\x01" * 64), of_document),
        (leaf.values(place=7), of_document),
        (leaf.values(branch=1), of_document),
        (leaf.values(tenant="other"), of_document),
        (sa.delete(earlier).where(earlier.c.document_id == chosen), of_document),
        (sa.update(batch).where(batch.c.id == 1).values(rehashed_by=9), "Zeitstempel 1"),
        (sa.update(batch).where(batch.c.id == 2).values(rehashed_by=1), "Zeitstempel 2"),
    ):
        with ledger.writing() as connection:
            connection.execute(wrong)
            assert [one for one, _ in faults(connection, "default")] == [concerned]
            connection.rollback()


def test_what_was_witnessed_stays_in_its_digest_and_that_is_told(
    ledger: Ledger,
    renewed: tuple[Settings, dict[str, Files]],
    tmp_path: Path,
    sound: Authority,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = App(None, None)
    soon, _ = renewed
    with Preservation(soon, ledger) as preservation:
        roots = preservation.attest_all()
        ledgers.change(ledger, sa.update(schema.evidence_batch).values(renew_before=PAST))
        # the newer digest is renewed, and roots for which that gains nothing do not prevent it
        assert (roots, preservation.once()) == (2, Done(renewed=1))
    ended = trusting(tmp_path, sound, clock.now().date())
    for settings, said_by in ((soon, []), (ended, ["alarm_roots_not_witnessed"])):
        app.__dict__ |= {"settings": settings, "ledger": ledger}
        with ledger.reading() as connection:
            found = attesting.standing(app, connection, "default")
            assert not evidencing.standing(app, connection, "default")["overdue"]
        assert (found["not_rehashed"], found["digest_ends_at"][:10]) == (
            roots,
            f"{settings.evidence.algorithm_ends['sha256']}",
        )
        attesting.print_standing(found, "Europe/Berlin")
        assert "2 sind mit SHA-256 gesichert" in capsys.readouterr().out
        if said_by:
            ledger.accept(ledgers.arrival())
        with Preservation(settings, ledger) as preservation, capture_logs() as logged:
            assert preservation.attest_all() == preservation.attest_all() == 0
        assert [one["event"] for one in logged] == said_by


def ends(**given: dt.date) -> EvidenceSettings:
    return EvidenceSettings(algorithm_ends=given, renew_days=180)


@pytest.mark.parametrize(
    ("given", "used", "old"),
    [
        ({"sha256": FAR}, "sha256", ()),
        ({"sha256": SOON, "sha384": FAR}, "sha384", ("sha256", "sha512")),
        ({"sha256": SOON, "sha384": SOON, "sha512": FAR}, "sha512", ("sha256", "sha384")),
        ({"sha256": SOON, "sha384": SOON, "sha512": SOON}, "sha256", ()),
        ({"sha256": FAR, "sha384": FAR, "sha512": FAR}, "sha256", ()),
    ],
)
def test_the_houses_table_says_which_digest_is_used_and_which_are_renewed(
    given: dict[str, Any], used: str, old: tuple[str, ...]
) -> None:
    today = clock.now().date()
    assert rehashing.suitable(ends(**given), today) == used
    assert [name for name in rehashing.outdated(ends(**given), today) if name in given] == [
        name for name in old if name in given
    ]
