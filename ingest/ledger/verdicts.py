"""What persons decide in quality assurance: views, verdicts, how a stopped batch goes on.

A verdict says whether the scan matches the paper by its look (bildlich) and by what it says
(inhaltlich), and which flagged pages were judged (BSI TR-03138 V1.5, A.SC.8, A.NB.3). It may
name the digest of the PDF that was looked at. Four eyes (A.AM.IN.SH.1) are demanded on persons, not
codes, in the transaction of the verdict: at "very high" refused, at "high" warned, always noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from ingest.document import Role, Standing, Step
from ingest.errors import UsageError
from ingest.ledger import (
    accepting,
    chains,
    drawing,
    judgement,
    openwork,
    people,
    quality,
    reviewing,
    sampler,
    schema,
)
from ingest.ledger.judgement import Judged, Look
from ingest.ledger.persons import require_code
from ingest.ledger.showing import Unit, find

Row = sa.Row[Any]
_sample, _member, _view, _document = (
    schema.quality_batch,
    schema.quality_document,
    schema.quality_view,
    schema.document,
)

_SAMPLE = sa.select(_sample).where(_sample.c.batch_id == sa.bindparam("of_batch"))
_ONE = sa.select(_document).where(_document.c.id == sa.bindparam("unit")).with_for_update()
_MEMBER = sa.select(_member).where(_member.c.document_id == sa.bindparam("unit"))


def verdict(connection: sa.Connection, document_id: str, look: Look) -> Judged:
    """Judge a document that waits for its batch's sample.

    A good verdict that was the last one owed closes the check and lets all documents go on. A
    bad one holds the document (`quality_refused`) and stops the batch. A document outside the
    sample may be judged as well and then belongs to what was looked at.

    Raises:
        UsageError: The person may not judge it, a flagged page has no verdict, a page was not
            viewed (need "very high"), another PDF was looked at, or it waits for no verdict;
            nothing changed.
    """
    unit = judgement.document_of(connection, document_id)
    if not quality.enter(connection, unit.batch_id):
        raise _awaits_none(unit.id)
    work, _ = openwork.family(connection, unit.id)
    sample = connection.execute(_SAMPLE, {"of_batch": unit.batch_id}).one()
    row, member = _judgeable(connection, unit, work, sample)
    people.require_role(connection, row.tenant, look.by, Role.CHECKER)
    apart = judgement.apart_of(connection, row, look.by, sample.need)
    good = judgement.is_good(look, member.match)
    _require_whole(connection, row, member, sample, look)
    moment = accepting.now(connection)
    if not member.selected:
        drawing.select(connection, unit.batch_id, [unit.id], "named", moment)
    said = judgement.account_of(connection, row, look, good, apart)
    judgement.write(connection, row, look, {**said, "role": Role.CHECKER}, moment)
    if row.review_open:
        reviewing.reviewed(connection, row.id, look.by, look.reason or "Qualitätssicherung")
    if good:
        quality.settle(connection, unit.batch_id, moment)
    else:
        text = f"Qualitätssicherung nicht bestanden ({look.reason.strip()}). Bitte neu scannen."
        quality.hold_back(connection, unit.id, text, moment)
    state = connection.execute(_SAMPLE, {"of_batch": unit.batch_id}).one().state
    warning = judgement.warning(sample.need, apart=apart)
    return Judged(document=unit.id, good=good, state=state, warning=warning)


def view(connection: sa.Connection, document_id: str, pages: Iterable[int], by: str) -> int:
    """Note which pages of a document somebody looked at; return how many were not noted before.

    Only at need "very high", where each page has to be viewed (A.AM.IN.SH.5), is it noted, and
    only that it was: neither when nor for how long.

    Raises:
        UsageError: Somebody without the role, another need, a page the document does not have,
            or it waits for no verdict; nothing changed.
    """
    unit = judgement.document_of(connection, document_id)
    if not quality.enter(connection, unit.batch_id):
        raise _awaits_none(unit.id)
    work, _ = openwork.family(connection, unit.id)
    sample = connection.execute(_SAMPLE, {"of_batch": unit.batch_id}).one()
    row, _ = _judgeable(connection, unit, work, sample)
    people.require_role(connection, row.tenant, by, Role.CHECKER)
    if sample.need != "very_high":
        text = (
            f"Dokument {unit.id}: Angesehene Seiten werden nur bei Schutzbedarf very_high "
            "festgehalten; hier genügt das Urteil (»qa verdict«)."
        )
        raise UsageError(f"views of {unit.id} are not noted", operator_text=text)
    wanted = sorted(set(pages))
    judgement.require_pages(unit.id, wanted, row.pages)
    known = set(connection.execute(judgement.SEEN, {"unit": unit.id, "of_code": by}).scalars())
    same = {"document_id": unit.id, "code": by, "tenant": row.tenant}
    new = [{**same, "page": page} for page in wanted if page not in known]
    if new:
        connection.execute(sa.insert(_view).inline(), new)
    return len(new)


def resume(connection: sa.Connection, batch_id: str, by: str, reason: str, *, full: bool) -> str:
    """Let a stopped batch go on; return the state of its quality assurance.

    Every document that still waits has to be judged now, or at need "normal" as many more as
    twice the share draws, in the order of the committed seed. The faulty ones are not let go
    by it: they are rejected or scanned again.

    Args:
        connection: In a writing transaction.
        batch_id: See `showing.find`.
        by: A supervisor.
        reason: Goes into the event.
        full: Judge all; False for a larger sample.

    Raises:
        UsageError: Not stopped, not a supervisor, no reason, or a sample where the need asks
            for everything; nothing changed.
    """
    require_code(by, batch_id)
    unit = find(connection, batch_id)
    sampled = quality.enter(connection, unit.batch_id)
    sample = connection.execute(_SAMPLE, {"of_batch": unit.batch_id}).first()
    if not sampled or sample is None or sample.state != "stopped":
        text = f"Die Qualitätssicherung der Einlieferung {unit.batch_id} ist nicht angehalten."
        raise UsageError(f"{unit.batch_id} is not stopped", operator_text=text)
    people.require_role(connection, sample.tenant, by, Role.SUPERVISOR)
    judgement.require_reason(unit.batch_id, reason)
    if not full and sample.need != "normal":
        text = (
            f"Schutzbedarf {sample.need} verlangt nach einem Mangel die Prüfung aller Dokumente: "
            "bitte »qa resume … --full«."
        )
        raise UsageError(f"need {sample.need} wants all", operator_text=text)
    rest = connection.execute(drawing.CHECKED, {"of_batch": unit.batch_id}).all()
    ids = {row.ordinal: row.document_id for row in rest}
    chosen = list(ids) if full else _larger(connection, sample, list(ids))
    documents = [ids[ordinal] for ordinal in sorted(chosen)]
    drawing.mark(connection, documents, "complete" if full else "sample")
    quality.change(connection, unit.batch_id, state="open")
    said = {"full": full, "documents": documents, "reason": reason}
    moment = accepting.now(connection)
    entry = chains.Entry(quality.RESUMED, said, by)
    chains.append(connection, unit.batch_id, moment, entry)
    quality.settle(connection, unit.batch_id, moment)
    return str(connection.execute(_SAMPLE, {"of_batch": unit.batch_id}).one().state)


def _awaits_none(document_id: str) -> UsageError:
    text = f"Dokument {document_id} wartet auf kein Urteil der Qualitätssicherung."
    return UsageError(f"{document_id} waits for no verdict", operator_text=text)


def _judgeable(
    connection: sa.Connection, unit: Unit, work: Row | None, sample: Row
) -> tuple[Row, Row]:
    """Lock and return a document and its place in quality assurance.

    Raises:
        UsageError: It cannot be judged now.
    """
    member = connection.execute(_MEMBER, {"unit": unit.id}).first()
    if sample.state == "committed":
        text = (
            f"Die Stichprobe der Einlieferung {unit.batch_id} ist noch nicht gezogen: zuerst "
            "müssen alle ihre Dokumente geprüft sein."
        )
        raise UsageError(f"{unit.batch_id} is not open", operator_text=text)
    if sample.state == "stopped":
        text = (
            f"Die Qualitätssicherung der Einlieferung {unit.batch_id} ist nach einem Mangel "
            "angehalten. Die Leitung der Scanstelle entscheidet mit »qa resume«."
        )
        raise UsageError(f"{unit.batch_id} is stopped", operator_text=text)
    if member is None or work is None:
        raise _awaits_none(unit.id)
    if work.step != Step.NOTE or work.standing != Standing.WAITING:
        raise _awaits_none(unit.id)
    return connection.execute(_ONE, {"unit": unit.id}).one(), member


def _require_whole(
    connection: sa.Connection, row: Row, member: Row, sample: Row, look: Look
) -> None:
    """Refuse a verdict that leaves out what it has to cover."""
    present = connection.execute(judgement.COMPOSED, {"unit": row.id}).scalars().first()
    if look.seen_sha256 not in (None, present):
        text = f"Dokument {row.id}: Angesehen wurde eine andere Fassung. Bitte neu ansehen."
        raise UsageError(f"another PDF of {row.id} was seen", operator_text=text)
    judgement.require_pages(row.id, look.pages, row.pages)
    if not judgement.is_good(look, member.match):
        judgement.require_reason(row.id, look.reason)
        return
    judgement.require_flagged(row.id, member.flagged, look.pages)
    seen = set(connection.execute(judgement.SEEN, {"unit": row.id, "of_code": look.by}).scalars())
    unseen = sorted(set(row.pages) - seen)
    if sample.need == "very_high" and unseen:
        names = ", ".join(map(str, unseen))
        text = (
            f"Dokument {row.id}: Schutzbedarf very_high verlangt, jede Seite anzusehen. "
            f"Es fehlt (»qa view«): {names}."
        )
        raise UsageError(f"unseen pages of {row.id}: {names}", operator_text=text)


def _larger(connection: sa.Connection, sample: Row, rest: list[int]) -> list[int]:
    """Return the ordinals that twice the share draws beyond those drawn before."""
    drawn = sa.select(sa.func.count()).where(
        _member.c.batch_id == sample.batch_id,
        _member.c.why == "sample",
    )
    before = connection.execute(drawn).scalar_one()
    wanted = sampler.size(sample.population, min(1.0, 2 * sample.applied), sample.minimum)
    more = max(1, sample.minimum, wanted - before)
    return sampler.order(sample.seed, rest)[:more]
