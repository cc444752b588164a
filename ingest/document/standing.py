"""The two facts that say where a thing is: how far it has come, and whether it may go on.

`stage` is the last finished step and only moves forward; `standing` says whether the next
step may run. A correction is a new revision of the document, never a step back.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Final


class BatchStage(enum.StrEnum):
    """How far a batch has come. Definition order is processing order."""

    OPEN = "open"  #: the channel may still append sources
    RECEIVED = "received"  #: all bytes and the receipt are durable (Posteingang)
    INSPECTED = "inspected"  #: type, pages, signatures and damage of each source are known
    SEPARATED = "separated"  #: the pages are assigned to documents
    CLOSED = "closed"  #: consignments and documents exist; nothing is appended any more


class Stage(enum.StrEnum):
    """The last finished step of a document. Definition order is processing order."""

    CAPTURED = "captured"
    RECOGNISED = "recognised"
    CHECKED = "checked"
    NOTED = "noted"
    SEALED = "sealed"
    ROUTED = "routed"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"


class Standing(enum.StrEnum):
    """May the next step run, and if not, who has to act."""

    READY = "ready"
    CLAIMED = "claimed"
    DEFERRED = "deferred"  #: the machine tries again at `due_at`
    WAITING = "waiting"  #: nobody is at fault; what is awaited is named
    HELD = "held"  #: a person decides (Klärfall)
    QUARANTINED = "quarantined"  #: the security officer decides
    DONE = "done"
    REJECTED = "rejected"  #: ended by a named person, with a reason
    SUPERSEDED = "superseded"  #: a later revision has taken its place


_S = Standing
#: Which standing may follow which. Rejection follows only `held`.
MOVES: Final = MappingProxyType(
    {
        _S.READY: frozenset({_S.CLAIMED, _S.SUPERSEDED}),
        _S.CLAIMED: frozenset(
            {_S.READY, _S.DEFERRED, _S.WAITING, _S.HELD, _S.QUARANTINED, _S.DONE, _S.SUPERSEDED}
        ),
        _S.DEFERRED: frozenset({_S.READY, _S.HELD, _S.SUPERSEDED}),
        _S.WAITING: frozenset({_S.READY, _S.HELD, _S.SUPERSEDED}),
        _S.HELD: frozenset({_S.READY, _S.REJECTED, _S.SUPERSEDED}),
        _S.QUARANTINED: frozenset({_S.HELD, _S.SUPERSEDED}),
        #: `ready` again only for what is added to a delivered document, see `Step.CONFIRMING`.
        _S.DONE: frozenset({_S.READY, _S.SUPERSEDED}),
        _S.REJECTED: frozenset(),
        _S.SUPERSEDED: frozenset(),
    }
)
#: Standings in which nothing further happens by itself or by a person.
ENDS: Final = frozenset({_S.DONE, _S.REJECTED, _S.SUPERSEDED})
