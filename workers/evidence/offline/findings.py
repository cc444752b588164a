"""What the verifier has to say, one line a statement."""

from __future__ import annotations

from collections.abc import Callable

_HOLDS = "stimmt"
_BREAKS = "VERLETZT"
_SKIPPED = "nicht geprüft"
_UNPROVEN = "nicht belegt"
_HINT = "Hinweis"


class Findings:
    """Takes statements in the order in which they are made.

    Attributes:
        held: How many hold.
        broken: How many do not: one is enough for the whole bundle to be refused.
        skipped: How many things could not be looked at here.
        unproven: What nothing here shows to be true or false.
        carried: What would show that something was altered: signatures and timestamps that fit.
        remarks: Sentences that belong to the result.
        signers: What each certificate signed; None is one that does not lie there.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        """Take where the lines go."""
        self._write = write
        self.held = self.broken = self.skipped = 0
        self.carried: list[str] = []
        self.unproven: list[str] = []
        self.remarks: list[str] = []
        self.signers: dict[bytes | None, list[str]] = {}

    def holds(self, where: str, text: str) -> None:
        """Say that something is as it must be; `where` names file or statement."""
        self.held += 1
        self._line(_HOLDS, where, text)

    def breaks(self, where: str, text: str) -> None:
        """Say that something is not as it must be."""
        self.broken += 1
        self._line(_BREAKS, where, text)

    def skips(self, where: str, text: str) -> None:
        """Say what was not looked at, and why."""
        self.skipped += 1
        self._line(_SKIPPED, where, text)

    def doubts(self, where: str, text: str) -> None:
        """Say what nothing here proves: whoever has the bundle could have written it."""
        if where not in self.unproven:
            self.unproven.append(where)
        self._line(_UNPROVEN, where, text)

    def hints(self, where: str, text: str) -> None:
        """Say what a reader should look at; it may be in order."""
        self._line(_HINT, where, text)

    def signed_by(self, certificate: bytes | None, what: str) -> None:
        """Take down whose certificate signed something."""
        known = self.signers.setdefault(certificate, [])
        if what not in known:
            known.append(what)

    def carries(self, what: str) -> None:
        """Take down that there is a signature or timestamp, and that it is over these bytes."""
        if what not in self.carried:
            self.carried.append(what)

    def judge(self, where: str, passed: bool, right: str, wrong: str) -> bool:
        """Say one or the other and return `passed`."""
        if passed:
            self.holds(where, right)
        else:
            self.breaks(where, wrong)
        return passed

    def _line(self, mark: str, where: str, text: str) -> None:
        self._write(harmless(f"{mark:<14} {where}: {text}") + "\n")


def harmless(text: str) -> str:
    """Return one line of text without what would steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
