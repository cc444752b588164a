"""Who calls."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

#: Clocks that differ by no more than this count as equal.
CLOCKS_DIFFER: dt.timedelta = dt.timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Station:
    """A scan station whose token was right.

    Attributes:
        code: Of the workstation, as the house registered it.
        tenant: Into which its stacks go.
        clock_offset: Its clock minus ours when the request came; zero where they differ by no
            more than `CLOCKS_DIFFER`. What is not zero is recorded with the stack.
    """

    code: str
    tenant: str
    clock_offset: dt.timedelta = dt.timedelta()
