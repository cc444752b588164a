"""What persons decide: release, reject, retry. Each names who and why, and is an event.

A batch or document may be named where one of its pages is stuck: the decision then goes
to those pages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import CONFIRMATION, NOT_RECORDED, Facts, Role, Standing, UnitKind
from ingest.errors import UsageError
from ingest.ledger import (
    accepting,
    chains,
    opening,
    openwork,
    overriding,
    people,
    quality,
    reserved,
    schema,
)
from ingest.ledger.columns import clean_text
from ingest.ledger.moves import move
from ingest.ledger.persons import require_code
from ingest.ledger.terms import Opened, Present

Row = sa.Row[Any]

_NAMES: Final = {
    UnitKind.BATCH: "Einlieferung",
    UnitKind.DOCUMENT: "Dokument",
    UnitKind.PAGE: "Seite",
}
_STANDINGS: Final = {
    Standing.READY: "bereit",
    Standing.CLAIMED: "in Arbeit",
    Standing.DEFERRED: "zurückgestellt, wird von selbst wiederholt",
    Standing.WAITING: "wartend",
    Standing.HELD: "Klärfall",
    Standing.QUARANTINED: "in Quarantäne",
    Standing.DONE: "fertig",
    Standing.REJECTED: "zurückgewiesen",
    Standing.SUPERSEDED: "ersetzt",
}
#: Settings that are used where they are entered; the ledger keeps neither name nor value.
_SECRETS: Final = ("password", "passwort", "kennwort", "secret", "pin")
_ENDED: Final = (
    sa.select(schema.batch.c.standing).where(schema.batch.c.id == sa.bindparam("unit")),
    sa.select(schema.document.c.standing).where(schema.document.c.id == sa.bindparam("unit")),
)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who releases, why, and with what.

    Attributes:
        settings: For the steps that follow; a secret among them is not kept.
        opened: Copies of locked sources that were opened for this release.
        present: Asks the store for those copies.
    """

    by: str
    reason: str
    settings: Mapping[str, str] = field(default_factory=dict)
    opened: Sequence[Opened] = ()
    present: Present | None = None


def release(connection: sa.Connection, unit_id: str, decision: Decision) -> None:
    """Let held work go on with its settings and all its tries; move quarantined work to held.

    Raises:
        UsageError: The unit is unknown, or neither held nor quarantined, or `by` is no operator
            code, or no known person where the house has any or the class needs one's release, or
            no supervisor where
            a count is passed over that the need demands or where only the head of the scanning
            office lets it go on (`ingest.ledger.reserved`), or something was opened for work
            that no longer needs it; nothing changed.
        ToolFailed: The store does not hold an opened copy; nothing may be committed.
    """
    by, reason = decision.by, decision.reason
    require(unit_id, by, reason)
    moment = accepting.now(connection)
    allowed = {Standing.HELD, Standing.QUARANTINED}
    settings = shown(decision.settings)
    for row in _chosen(connection, unit_id, allowed, "freigegeben")[1]:
        people.require_known(connection, row.tenant, by)
        _refuse_judged(row, "freigegeben")
        overriding.require_entitled(connection, row, by, settings)
        said: Facts = {"step": row.step, "unit": row.unit_id, "reason": reason}
        if row.standing == Standing.QUARANTINED:
            people.require_if_given(connection, row.tenant, by, Role.SECURITY_OFFICER)
            openwork.change(connection, row, Standing.HELD)
            known = (row.reason_code, row.reason)
            openwork.mirror(connection, row, Standing.HELD, moment, known)
            entry = chains.Entry("released_by_security_officer", said, by)
        else:
            if row.reason_code == accepting.RELEASE_NEEDED:
                people.person_of(connection, row.tenant, by)
            reserved.require_entitled(connection, row, by)
            said |= opening.keep(connection, row, decision.opened, moment, decision.present)
            _let_go_on(connection, row, moment, released={**row.released, **settings})
            entry = chains.Entry("released_by_clerk", {**said, "settings": settings}, by)
        _, chain = openwork.owner(row)
        chains.append(connection, chain, moment, entry)


def retry(connection: sa.Connection, unit_id: str, by: str = NOT_RECORDED) -> None:
    """Let deferred, waiting or held work run now, with all its tries.

    Raises:
        UsageError: The unit is unknown, or waits for nothing that a person could hasten, or
            for a person's release or decision, or `by` is neither an operator code nor "not
            recorded"; nothing changed.
    """
    if by != NOT_RECORDED:
        require_code(by, unit_id)
    moment = accepting.now(connection)
    allowed = {Standing.DEFERRED, Standing.HELD, Standing.WAITING}
    for row in _chosen(connection, unit_id, allowed, "wiederholt")[1]:
        if by != NOT_RECORDED:
            people.require_known(connection, row.tenant, by)
        _refuse_judged(row, "wiederholt")
        if row.reason_code == accepting.RELEASE_NEEDED:
            text = f"{unit_id} wartet auf die Freigabe durch eine Person: bitte »release«."
            raise UsageError(f"{unit_id} needs a release", operator_text=text)
        reserved.refuse_retry(row)
        _let_go_on(connection, row, moment)
        said = {"step": row.step, "unit": row.unit_id, "from": row.standing}
        _, chain = openwork.owner(row)
        chains.append(connection, chain, moment, chains.Entry("retried_by_operator", said, by))


def reject(connection: sa.Connection, unit_id: str, by: str, reason: str) -> None:
    """End a held batch or document for good; its bytes and its history stay.

    Raises:
        UsageError: The unit is unknown, is a page, or is not held, or `by` is no operator
            code or none of the house's; nothing changed.
    """
    require(unit_id, by, reason)
    moment = accepting.now(connection)
    sampled = quality.enter_of(connection, clean_text(unit_id))
    row, chosen = _chosen(connection, unit_id, {Standing.HELD}, "zurückgewiesen")
    people.require_known(connection, row.tenant, by)
    if row.step in CONFIRMATION:
        text = (
            f"Dokument {unit_id} ist zugestellt; offen ist nur sein Ergänzungsvermerk. Bitte die "
            "Ursache beheben und mit „release“ oder „retry“ weiterführen."
        )
        raise UsageError(f"{unit_id} is delivered, not to be rejected", operator_text=text)
    if row.unit_kind == UnitKind.PAGE:
        text = (
            f"Seite {unit_id} kann nicht einzeln zurückgewiesen werden: bitte ihr Dokument oder "
            "ihre Einlieferung zurückweisen oder die Seite freigeben."
        )
        raise UsageError(f"page {unit_id} cannot be rejected alone", operator_text=text)
    for held in chosen:
        move(held.standing, Standing.REJECTED)
    kind, unit = openwork.owner(row)
    openwork.end(connection, row)
    nobody_looks = {"review_open": 0} if kind is UnitKind.DOCUMENT else {}
    openwork.show(
        connection,
        kind,
        unit,
        moment,
        standing=Standing.REJECTED,
        reason_code="rejected",
        reason=reason,
        **nobody_looks,
    )
    said = {"step": row.step, "reason": reason, "was": [held.reason_code for held in chosen]}
    chains.append(connection, unit, moment, chains.Entry("rejected", said, by))
    if sampled is not None:
        quality.settle(connection, sampled, moment)


def _refuse_judged(row: Row, wish: str) -> None:
    """Let nobody pass quality assurance by another way than by its own decisions.

    Raises:
        UsageError: The work waits for a sample, or its document was judged bad.
    """
    if row.reason_code == quality.REFUSED:
        text = (
            f"Dokument {row.unit_id} hat die Qualitätssicherung nicht bestanden und kann nicht "
            f"{wish} werden. Bitte neu scannen (»rescan«) oder zurückweisen (»reject«)."
        )
        raise UsageError(f"{row.unit_id} was judged bad", operator_text=text)
    if row.reason_code == quality.WAITS:
        text = (
            f"Dokument {row.unit_id} wartet auf die Stichprobe seiner Einlieferung und kann nicht "
            f"{wish} werden. Bitte die gezogenen Dokumente beurteilen: »qa show {row.batch_id}«."
        )
        raise UsageError(f"{row.unit_id} waits for a sample", operator_text=text)


def _let_go_on(connection: sa.Connection, row: Row, moment: dt.datetime, **fields: object) -> None:
    cleared = {"attempts": 0, "lost": 0, "reason_code": None, "reason": None}
    openwork.change(connection, row, Standing.READY, **cleared, **fields)
    if row.unit_kind == UnitKind.PAGE:
        openwork.mirror_parent(connection, row, moment)
    else:
        openwork.mirror(connection, row, Standing.READY, moment)


def require(unit_id: str, by: str, reason: str) -> None:
    """Refuse a decision that nobody or no reason stands behind.

    Raises:
        UsageError: `by` is no operator code, or `reason` is empty.
    """
    require_code(by, unit_id)
    if not reason.strip():
        text = f"{unit_id}: Für diese Entscheidung fehlt die Angabe --reason (Grund)."
        raise UsageError(f"no reason for {unit_id}", operator_text=text)


def shown(settings: Mapping[str, str]) -> Facts:
    """Return settings as the ledger may keep them: secrets neither by name nor by value."""
    return {
        key: value
        for key, value in settings.items()
        if not any(secret in key.lower() for secret in _SECRETS)
    }


def _chosen(
    connection: sa.Connection, unit_id: str, allowed: Collection[Standing], wish: str
) -> tuple[Row, list[Row]]:
    """Return the unit's open work, and what of it or of its pages has an allowed standing."""
    row, children = openwork.family(connection, clean_text(unit_id))
    if row is None:
        raise _not_open(connection, unit_id, wish)
    if row.children_open:
        allowed = set(allowed) - {Standing.WAITING}
        chosen = [child for child in children if child.standing in allowed]
    else:
        chosen = [row] if row.standing in allowed else []
    if not chosen:
        raise _refusal(UnitKind(row.unit_kind), unit_id, Standing(row.standing), wish)
    return row, chosen


def _not_open(connection: sa.Connection, unit_id: str, wish: str) -> UsageError:
    for kind, query in zip((UnitKind.BATCH, UnitKind.DOCUMENT), _ENDED, strict=True):
        standing = connection.execute(query, {"unit": clean_text(unit_id)}).scalar()
        if standing is not None:
            return _refusal(kind, unit_id, Standing(standing), wish)
    text = f"{unit_id} ist nicht bekannt oder hat nichts Offenes: bitte mit »list« nachsehen."
    return UsageError(f"{unit_id} has no open work", operator_text=text)


def _refusal(kind: UnitKind, unit_id: str, standing: Standing, wish: str) -> UsageError:
    text = (
        f"{_NAMES[kind]} {unit_id} kann jetzt nicht {wish} werden: "
        f"Stand »{_STANDINGS[standing]}« ({standing})."
    )
    return UsageError(f"{kind} {unit_id} is {standing}", operator_text=text)
