"""What stops a scan station, each with its exit code."""

from __future__ import annotations

from typing import ClassVar, Final

#: Said where another process of this station has the stack.
HELD: Final = (
    "An diesem Stapel arbeitet gerade ein anderer Vorgang dieses Scanplatzes. Bitte in einem "
    "Augenblick wiederholen."
)


class StationFault(Exception):
    """Base: the command ends, nothing that was scanned is lost.

    Attributes:
        exit_code: Of the process.
        operator_text: German: what happened and what to do.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, operator_text: str) -> None:
        """Take the German text."""
        super().__init__(operator_text)
        self.operator_text = operator_text


class Unusable(StationFault):
    """The command line asks for something that does not exist."""

    exit_code = 2


class Misconfigured(StationFault):
    """A file of the station says something impossible, or something is missing."""

    exit_code = 9
