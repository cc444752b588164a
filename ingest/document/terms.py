"""Small words that everything else is made of: ids, facts, what is said of the unknown."""

from __future__ import annotations

import os
import re
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


def new_id() -> str:
    """Return a UUID version 7 (RFC 9562): unique, and later ones sort after earlier ones."""
    moment = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    value = (moment & 0xFFFF_FFFF_FFFF) << 80 | tail
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
