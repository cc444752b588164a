"""A child process that tells what happens, line by line, for as long as it works.

Drivers of devices run in one: a crash, a hang or a leak is the end of the child, never of the
service. Both sides speak JSON, one object a line. Whoever reads waits no longer than it says for
the next line, and stops the child in steps: asked, asked again, killed.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from ingest.document import Facts
from ingest.sandbox.lines import Lines, Silent

_STOP: Final[Facts] = {"do": "stop"}


class Stalled(Exception):
    """The child said nothing for the time that was allowed; it has been killed."""


class Stream(Lines):
    """One child, started at once, that is told and tells by lines of JSON."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `python -m module` with these arguments and additions to the environment."""
        super().__init__(
            [sys.executable, "-m", module, *arguments],
            {**(environment or {}), "PYTHONUNBUFFERED": "1"},
            stop=_line(_STOP),
        )

    def tell(self, message: Facts) -> None:
        """Send one object; a child that is gone is noticed with the next `next`."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.write(_line(message))
                stdin.flush()

    def next(self, seconds: float) -> Facts:
        """Return what the child says next.

        Raises:
            Stalled: It said nothing for `seconds`; it has been killed.
            Ended: It is gone.
        """
        try:
            line = self.line(seconds)
        except Silent as error:
            self.kill()
            raise Stalled(str(error)) from None
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self.kill()
            raise self._ended()
        return said


def _line(message: Facts) -> bytes:
    return json.dumps(message).encode() + b"\n"
