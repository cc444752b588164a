"""Stacks that are being scanned: pages are taken one by one, the batch begins at the end.

A page counts from the commit of `append`: whoever handed it over may forget it. Every act may be
repeated with the same key and has its effect once. Until it is closed a stack is no batch; it has
the id of the batch that it becomes, and stands in the same list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import Facts, ProfileChoice, new_id
from ingest.errors import UsageError
from ingest.ledger import accepting, schema
from ingest.ledger.admitting import require_admitted
from ingest.ledger.persons import require_code
from ingest.ledger.terms import Arrival, Receipt

Row = sa.Row[Any]
Rows = Sequence[Row]
Connection = sa.Connection
_stack, _page = schema.stack, schema.stack_page

_BY_KEY = sa.select(_stack).where(_stack.c.key == sa.bindparam("of_key"))
#: In place of the digest of a page that was erased from a closed stack.
ERASED: Final = ""
#: Pages may still be added.
IS_OPEN: Final = sa.and_(_stack.c.closed_at.is_(None), _stack.c.discarded_at.is_(None))
_PAGES = (
    sa.select(_page)
    .where(_page.c.stack_id == sa.bindparam("of_stack"))
    .order_by(_page.c.number, _page.c.attempt)
)
_PLACE = sa.select(_page.c.sha256).where(
    _page.c.stack_id == sa.bindparam("of_stack"),
    _page.c.number == sa.bindparam("at_number"),
    _page.c.attempt == sa.bindparam("at_attempt"),
)
_RULES = sa.select(schema.profile_version.c.content).where(
    schema.profile_version.c.tenant == sa.bindparam("of_tenant"),
    schema.profile_version.c.sha256 == sa.bindparam("of_sha256"),
)
_NEW = sa.insert(_stack)
_NEW_PAGE = sa.insert(_page)
_CHANGED = (
    sa.update(_stack)
    .where(_stack.c.id == sa.bindparam("of_stack"))
    .values(changed_at=sa.bindparam("moment"))
)


class StackRefused(UsageError):
    """A stack or page cannot be taken as it is; nothing changed.

    Codes: `stack_unknown`, `stack_closed`, `page_disagrees`, `manifest_disagrees`.
    """

    code = "stack_refused"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A stack as it is opened.

    Attributes:
        key: UUID that the station made.
        station: Code of the workstation, None for the machine of the ledger itself.
        profile: In the version that holds to the end of the stack.
        device: For people.
        said: All that the station said.
        anomalies: What was strange, such as the clock of the station.
    """

    tenant: str
    key: str
    station: str | None
    operator: str | None
    profile: ProfileChoice
    device: str
    said: Facts
    anomalies: tuple[Facts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TakenPage:
    """A page whose bytes are durable in the store."""

    number: int
    attempt: int
    sha256: str
    size: int
    media_type: str
    facts: Facts
    scanned_by: str | None


#: Makes the arrival of a stack from its row, the rows of all its pages, replaced ones too, and
#: the content of its profile.
Build = Callable[[Row, Rows, Facts], Arrival]


def known(connection: sa.Connection, tenant: str, key: str) -> Row | None:
    """Return the stack that has a key, None where none has.

    Raises:
        StackRefused: `stack_unknown`: the key is another tenant's.
    """
    row = connection.execute(_BY_KEY, {"of_key": key}).first()
    return None if row is None else _own(row, tenant, key)


def of_batch(connection: sa.Connection, id_: str) -> Row | None:
    """Return the stack that has the id of a batch, None for other batches and for documents."""
    return connection.execute(sa.select(_stack).where(_stack.c.id == id_)).first()


def begin(connection: sa.Connection, wish: Wish) -> Row:
    """Make a stack known, or return the one that has its key.

    Raises:
        ProfileInvalid: Its profile may not be worked with.
        StackRefused: `stack_unknown`: the key is another tenant's.
        UsageError: The operator's code is none.
    """
    there = known(connection, wish.tenant, wish.key)
    if there is not None:
        return there
    if wish.operator is not None:
        require_code(wish.operator, "Scan")
    choice, moment = wish.profile, accepting.now(connection)
    treatment = choice.content["treatment"]
    require_admitted(connection, wish.tenant, choice.name, choice.sha256, treatment)
    accepting.keep_profile(connection, wish.tenant, choice, moment)
    row: Facts = {
        "id": new_id(),
        "tenant": wish.tenant,
        "key": wish.key,
        "station": wish.station,
        "operator": wish.operator,
        "profile": choice.name,
        "profile_sha256": choice.sha256,
        "device": wish.device,
        "said": wish.said,
        "anomalies": list(wish.anomalies),
        "opened_at": moment,
        "changed_at": moment,
    }
    connection.execute(_NEW, row)
    return connection.execute(_BY_KEY, {"of_key": wish.key}).one()


def found(connection: sa.Connection, tenant: str, key: str) -> tuple[Row, list[Row]]:
    """Return a stack and all its pages, replaced ones too, by number and attempt.

    Raises:
        StackRefused: `stack_unknown`.
    """
    row = _own(connection.execute(_BY_KEY, {"of_key": key}).first(), tenant, key)
    return row, pages_of(connection, row.id)


def named(connection: sa.Connection, tenant: str, key: str) -> Row:
    """Return a stack without its pages.

    Raises:
        StackRefused: `stack_unknown`.
    """
    return _own(connection.execute(_BY_KEY, {"of_key": key}).first(), tenant, key)


def counting(pages: Sequence[Row]) -> list[Row]:
    """Return of each place the last attempt, by number."""
    last = {page.number: page for page in pages}
    return [last[number] for number in sorted(last)]


def append(connection: sa.Connection, tenant: str, key: str, page: TakenPage) -> bool:
    """Take a page; False if it was taken before.

    Whoever keeps the bytes looks after the commit whether they are still there.

    Raises:
        StackRefused: `stack_unknown`, `stack_closed`; `page_disagrees`: another page is there.
    """
    row = _locked(connection, tenant, key)
    place = {"of_stack": row.id, "at_number": page.number, "at_attempt": page.attempt}
    there = connection.execute(_PLACE, place).scalar()
    if there == page.sha256:
        return False
    if there is not None:
        text = (
            f"Seite {page.number} des Stapels liegt schon mit anderem Inhalt vor. Bitte das Blatt "
            "neu scannen, statt es zu überschreiben (»scan --append STAPEL --rescan BLATT«, am "
            "Scanplatz »rescan BLATT«)."
        )
        message = f"page {page.number} of stack {key} differs"
        raise StackRefused(message, operator_text=text, code="page_disagrees")
    _require_open(row)
    moment = accepting.now(connection)
    accepting.keep_blobs(connection, tenant, [(page.sha256, page.size)], moment)
    connection.execute(
        _NEW_PAGE,
        {
            "stack_id": row.id,
            "number": page.number,
            "attempt": page.attempt,
            "tenant": tenant,
            "sha256": page.sha256,
            "size": page.size,
            "media_type": page.media_type,
            "facts": page.facts,
            "scanned_by": page.scanned_by,
            "taken_at": moment,
        },
    )
    connection.execute(_CHANGED, {"of_stack": row.id, "moment": moment})
    return True


def close(
    connection: sa.Connection,
    tenant: str,
    key: str,
    manifest: Sequence[tuple[int, int, str]],
    build: Build,
) -> Receipt:
    """End a stack: what it became is received in the same transaction.

    Args:
        connection: In a writing transaction.
        tenant: Whose stack.
        key: Of the stack.
        manifest: Number, attempt and digest of each page that counts, by number.
        build: Makes the arrival.

    Under a version of its profile that was withdrawn meanwhile the batch is held.

    Raises:
        StackRefused: `stack_unknown`; `stack_closed`: it was discarded, or closed with other
            pages; `manifest_disagrees`: the pages are others, the text names them, and the stack
            stays open.
    """
    row = _locked(connection, tenant, key)
    pages = pages_of(connection, row.id)
    there = [(page.number, page.attempt, page.sha256) for page in counting(pages)]
    if there != list(manifest):
        _require_open(row)
        raise _disagreement(row, there, list(manifest))
    if row.closed_at is not None and (given := accepting.receipt(connection, key)) is not None:
        return given
    _require_open(row)
    arrival = build(row, pages, rules_of(connection, row))
    receipt = accepting.accept(connection, arrival, known=False, begun=True)
    moment = accepting.now(connection)
    ended = sa.update(_stack).where(_stack.c.id == row.id)
    connection.execute(ended.values(closed_at=moment, changed_at=moment, said={}))
    # The manifest of the batch has them now.
    facts = sa.update(_page).where(_page.c.stack_id == row.id)
    connection.execute(facts.values(facts={}))
    return receipt


def rules_of(connection: sa.Connection, row: Row) -> Facts:
    """Return the content of the profile's version that holds to the end of a stack."""
    of = {"of_tenant": row.tenant, "of_sha256": row.profile_sha256}
    content: Facts = connection.execute(_RULES, of).scalar_one()
    return content


def note_anomaly(connection: sa.Connection, tenant: str, key: str, anomaly: Facts) -> None:
    """Add something strange to an open stack, once.

    Raises:
        StackRefused: `stack_unknown`.
    """
    row = _locked(connection, tenant, key)
    if row.closed_at is None and all(each["kind"] != anomaly["kind"] for each in row.anomalies):
        more = [*row.anomalies, anomaly]
        connection.execute(sa.update(_stack).where(_stack.c.id == row.id).values(anomalies=more))


def forget_pages(
    connection: sa.Connection, batch_id: str, gone: Collection[str] | None = None
) -> set[str]:
    """Erase what is left of the stack that became a batch, and return the digests of that.

    A workstation that still has the pages is told that they were erased, not that they never came:
    of a batch that is erased as a whole the stack is given up, of a part each page has its place
    without digest.

    Args:
        connection: In a writing transaction.
        batch_id: Of the batch.
        gone: Digests of what is erased of it, None for all. Attempts that were replaced go in
            any case: nobody can tell whose sheet was on them.
    """
    pages = pages_of(connection, batch_id)
    last = {(page.number, page.attempt) for page in counting(pages)}
    leaving = [
        page
        for page in pages
        if gone is None or page.sha256 in gone or (page.number, page.attempt) not in last
    ]
    erased: Facts = {"sha256": ERASED, "size": 0, "facts": {}, "scanned_by": None}
    for page in leaving:
        one = sa.and_(_page.c.number == page.number, _page.c.attempt == page.attempt)
        of_stack = sa.and_(_page.c.stack_id == batch_id, one)
        if gone is not None and (page.number, page.attempt) in last:
            connection.execute(sa.update(_page).where(of_stack).values(erased))
        else:
            connection.execute(sa.delete(_page).where(of_stack))
    values: Facts = {"said": {}, "anomalies": [], "device": ""}
    if gone is None:
        values["discarded_at"] = accepting.now(connection)
    connection.execute(sa.update(_stack).where(_stack.c.id == batch_id).values(values))
    return {page.sha256 for page in leaving} - {ERASED}


def pages_of(connection: sa.Connection, stack_id: str) -> list[Row]:
    """Return all pages of a stack, replaced ones too, by number and attempt."""
    return list(connection.execute(_PAGES, {"of_stack": stack_id}))


def _own(row: Row | None, tenant: str, key: str) -> Row:
    if row is None or row.tenant != tenant:
        text = f"Es gibt keinen Stapel {key}. Bitte den Stapel neu beginnen."
        message = f"unknown stack {key}"
        raise StackRefused(message, operator_text=text, code="stack_unknown")
    return row


def _locked(connection: sa.Connection, tenant: str, key: str) -> Row:
    row = connection.execute(_BY_KEY.with_for_update(), {"of_key": key}).first()
    return _own(row, tenant, key)


def _require_open(row: Row) -> None:
    if row.closed_at is None and row.discarded_at is None:
        return
    how = "abgeschlossen" if row.discarded_at is None else "verworfen"
    text = (
        f"Der Stapel {row.id} ist bereits {how}. Weitere Blätter bitte als neuen Stapel scannen "
        "oder einzelne Seiten mit »rescan« ersetzen."
    )
    raise StackRefused(f"stack {row.id} has ended", operator_text=text, code="stack_closed")


def _disagreement(
    row: Row, there: list[tuple[int, int, str]], said: list[tuple[int, int, str]]
) -> StackRefused:
    have, wanted = {n: (a, s) for n, a, s in there}, {n: (a, s) for n, a, s in said}
    missing = sorted(wanted.keys() - have.keys())
    extra = sorted(have.keys() - wanted.keys())
    other = sorted(n for n in have.keys() & wanted.keys() if have[n] != wanted[n])
    parts = [
        f"{what}: {', '.join(map(str, numbers[:20]))}{' …' if len(numbers) > 20 else ''}"  # noqa: PLR2004 - as many as a person reads
        for what, numbers in (
            ("es fehlen die Seiten", missing),
            ("nicht genannt sind die Seiten", extra),
            ("anders sind die Seiten", other),
        )
        if numbers
    ]
    text = (
        f"Die Abschlussliste des Stapels {row.id} stimmt nicht mit den angekommenen Seiten "
        f"überein ({'; '.join(parts) or 'Reihenfolge'}). Der Stapel bleibt offen; bitte die "
        "Übertragung abwarten oder die Blätter nachscannen und dann abschließen."
    )
    message = f"manifest of stack {row.id} disagrees: {missing} missing, {extra} extra, {other}"
    return StackRefused(message, operator_text=text, code="manifest_disagrees")
