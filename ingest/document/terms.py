"""Small words that everything else is made of: ids, facts, what is said of the unknown."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid
from typing import Any, Final

#: A JSON object: facts of a step, settings of a tool.
Facts = dict[str, Any]

DEFAULT_TENANT: Final = "default"
#: What is written where a fact was not captured. Nothing is ever guessed in its place.
NOT_RECORDED: Final = "nicht erfasst"
NOT_APPLICABLE: Final = "entfällt"
#: The channel of what the house sends out under its seal, and the name of what was ordered for it.
OUTGOING: Final = "outgoing"
#: The name of what is known of a stack that was scanned here.
SCANNED: Final = "scanned"
#: What a person's code may look like, as people are told.
OPERATOR_CODE_RULE: Final = "1 bis 16 Buchstaben, Ziffern, Punkt, Binde- oder Unterstrich"
_OPERATOR_CODE: Final = re.compile(r"[A-Za-zÄÖÜäöüß0-9_.-]{1,16}")


def is_operator_code(text: str) -> bool:
    """Tell whether `text` can be a person's code: no full name, no address, no login@host.

    Codes stand in chains of events and in notes that nobody can erase, so what may be a name is
    turned away before it gets there.
    """
    return _OPERATOR_CODE.fullmatch(text) is not None


class _Moments:
    """Moments in 4096ths of a millisecond, each after the one before, whatever the clock does."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return the moment now, or the one after the last."""
        with self._lock:
            self._last = max((time.time_ns() << 12) // 1_000_000, self._last + 1)
            return self._last


_moments: Final = _Moments()


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562, section 6.2, method 3): unique everywhere.

    Later ones of a process sort after its earlier ones; those of several processes do so where a
    millisecond lies between them.
    """
    moment, fraction = divmod(_moments.next(), 1 << 12)
    tail = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    value = (moment & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | tail
    return str(uuid.UUID(int=value))
