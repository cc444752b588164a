"""Where a document's paper is on its way from the scanner to its return or destruction.

A unit is the paper of one document, whatever its revision. What of a batch belongs to no
document (separator sheets, left-out blanks) is a unit of its own, with the ordinal `REST`; it
goes when nothing of the batch is left.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Final

#: Ordinal of the unit of sheets that belong to no document of their batch.
REST: Final = 0


class PaperStage(enum.StrEnum):
    """Where the paper is."""

    SCANNING = "scanning"  #: at the scanner; nobody said yet where it was put
    STORED = "stored"  #: in a box or on a shelf
    REQUESTED = "requested"  #: out of its box for a rescan or to be looked at
    RETURNED = "returned"  #: with its sender
    RELEASED = "released"  #: still in its box; a person released it for destruction
    DESTROYED = "destroyed"


_P = PaperStage
#: Which stage may follow which. A release that is withdrawn leads back to `stored`, and nothing
#: but a release leads to destruction.
PAPER_MOVES: Final = MappingProxyType(
    {
        _P.SCANNING: frozenset({_P.STORED, _P.RETURNED}),
        _P.STORED: frozenset({_P.STORED, _P.REQUESTED, _P.RETURNED, _P.RELEASED}),
        _P.REQUESTED: frozenset({_P.STORED, _P.RETURNED}),
        _P.RELEASED: frozenset({_P.STORED, _P.REQUESTED, _P.RETURNED, _P.DESTROYED}),
        _P.RETURNED: frozenset(),
        _P.DESTROYED: frozenset(),
    }
)
#: Stages after which there is no paper here.
PAPER_ENDS: Final = frozenset({_P.RETURNED, _P.DESTROYED})

PAPER_NAMES: Final = MappingProxyType(
    {
        _P.SCANNING: "bei der Scanstelle, Ablage nicht erfasst",
        _P.STORED: "abgelegt",
        _P.REQUESTED: "angefordert, entnommen",
        _P.RETURNED: "zurückgegeben",
        _P.RELEASED: "zur Vernichtung freigegeben",
        _P.DESTROYED: "vernichtet",
    }
)
#: Security levels of DIN 66399-1 for paper (P) with the class of protection before them.
DIN_66399: Final = tuple(f"{need}/P-{level}" for need in (1, 2, 3) for level in range(1, 8))
