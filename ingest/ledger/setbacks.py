"""When a step did not succeed: try again later, or ask a person."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from ingest.document import Standing
from ingest.ledger import chains, openwork, quality
from ingest.ledger.terms import Claim

#: What a clerk, the security officer and the journal see.
_EVENTS = {Standing.HELD: "held", Standing.QUARANTINED: "quarantined"}


def defer(  # noqa: PLR0913 - what happened and what follows, each named at the call
    connection: sa.Connection,
    claim: Claim,
    *,
    code: str,
    operator_text: str,
    message: str,
    pause: dt.timedelta,
    consumes_try: bool,
) -> bool:
    """Let the machine try again after `pause`; False if the claim was lost.

    An outage consumes no try, and repeated for the same reason it makes no further event:
    a store that is down for a night is one entry in a chain, not a thousand.
    """
    fenced = openwork.fence(connection, claim)
    if fenced is None:
        return False
    row, moment = fenced
    attempts = row.attempts if consumes_try else row.attempts - 1
    reason = {"reason_code": code, "reason": operator_text}
    due_at = moment + pause
    openwork.change(connection, row, Standing.DEFERRED, due_at=due_at, attempts=attempts, **reason)
    openwork.mirror(connection, row, Standing.DEFERRED, moment, (code, operator_text))
    if consumes_try or row.reason_code != code:
        said = {
            "step": row.step,
            "unit": row.unit_id,
            "attempt": row.attempts,
            "consumes_try": consumes_try,
            "code": code,
            "operator_text": operator_text,
            "message": message,
        }
        _, chain = openwork.owner(row)
        chains.append(connection, chain, moment, chains.Entry("deferred_for_retry", said))
    return True


def set_aside(
    connection: sa.Connection,
    claim: Claim,
    standing: Standing,
    *,
    code: str,
    operator_text: str,
    message: str,
) -> bool:
    """Ask a person: `held` the clerk, `quarantined` the security officer; False if lost.

    Raises:
        ValueError: Any other standing; nothing was written.
    """
    if standing not in _EVENTS:
        wrong = f"work is set aside as held or quarantined, not {standing}"
        raise ValueError(wrong)
    sampled = claim.document_id is not None and quality.enter(connection, claim.batch_id)
    fenced = openwork.fence(connection, claim)
    if fenced is None:
        return False
    row, moment = fenced
    openwork.change(connection, row, standing, reason_code=code, reason=operator_text)
    openwork.mirror(connection, row, standing, moment, (code, operator_text))
    said = {
        "step": row.step,
        "unit": row.unit_id,
        "attempt": row.attempts,
        "code": code,
        "operator_text": operator_text,
        "message": message,
    }
    _, chain = openwork.owner(row)
    chains.append(connection, chain, moment, chains.Entry(_EVENTS[standing], said))
    if sampled:  # the others do not wait for what a person has to decide first
        quality.settle(connection, row.batch_id, moment)
    return True
