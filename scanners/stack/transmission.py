"""Carrying stacks from this computer to the house, whatever the network and the house do.

Stacks go oldest first, the pages of a stack in their order. What the house has is asked of the
house, so a transmission that was killed goes on where it was. A house that does not answer is
asked again after a growing pause, for as long as it takes; a stack that it refuses, or whose files
cannot be read, is set aside for a person, and the others go on; one that it stumbles over is tried
again after a while all the same. A stack leaves this computer when the house has confirmed its
manifest, or gave the stack up.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest import clock
from scanners.device import SpoolFull
from scanners.stack.faults import AcceptanceFault, HouseFailed, Refused, Unavailable
from scanners.stack.givingup import CODE, drop, given_up
from scanners.stack.journal import Journal, journals
from scanners.stack.lacking import CODE as TOO_LATE
from scanners.stack.lacking import lacking, too_late
from scanners.stack.locking import Held
from scanners.stack.port import Acceptance
from scanners.stack.shelf import JournalDamaged, sweep
from scanners.stack.terms import StackPage, StackState

_LOG = logging.getLogger(__name__)
_SHORTEST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 60.0
#: A house that asks for more is asked again after this all the same.
_LONGEST_ASKED_SECONDS: Final = 900.0
#: Other processes of this computer scan too, and nobody tells of their pages.
_LOOK_SECONDS: Final = 2.0
#: After which the house is asked again whether it gave up a stack of which there is nothing to do.
_ASK_SECONDS: Final = 300.0
#: After which a stack is tried again that the house stumbled over.
_AGAIN_SECONDS: Final = 600.0
#: Said of this computer, not of a stack.
_OF_THE_STATION: Final = frozenset({"token_refused", "certificate_refused"})


@dataclass(frozen=True, kw_only=True)
class Carriage:
    """What just happened to a stack on its way, or to the way itself.

    Attributes:
        kind: opened, page, closed, refused, discarded (the house gave it up; it is gone here too);
            of the house: away, back, barred (it does not let this computer in).
        key: Of the stack; empty for what is of the house.
        taken: Pages of it that the house has.
        pages: Pages of it that count.
        operator_text: German, for refused, discarded, away and barred.
    """

    kind: str
    key: str = ""
    taken: int = 0
    pages: int = 0
    operator_text: str = ""


class Pause:
    """How long to wait before the house is asked again."""

    def __init__(self, *, chance: Callable[[], float] = random.random) -> None:
        """Spread waits by `chance`, 0 … 1, so that stations do not come back all at once."""
        self._chance = chance
        self._seconds = 0.0

    def next(self, asked: float | None) -> float:
        """Return the seconds to wait after another failure; `asked` is what the house asks for."""
        self._seconds = min(max(self._seconds * 2, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        spread = self._seconds * (0.5 + 0.5 * self._chance())
        return max(spread, min(asked or 0.0, _LONGEST_ASKED_SECONDS))

    def over(self) -> None:
        """Begin anew: the house answered."""
        self._seconds = 0.0


class Transmission:
    """Carries the stacks of a home."""

    def __init__(
        self,
        home: Path,
        house: Acceptance,
        *,
        tell: Callable[[Carriage], None] = lambda _: None,
        pause: Pause | None = None,
    ) -> None:
        """Carry from `home` to `house` and say to `tell` what happens, from the thread of `run`."""
        self._home = home
        self._house = house
        self._tell = tell
        self._pause = pause or Pause()
        self._opened: set[str] = set()
        #: When the house was asked for a stack of which there was nothing to do, by key.
        self._asked: dict[str, float] = {}
        self._away = ""
        self._ending = threading.Event()
        self._woken = threading.Event()

    def wake(self) -> None:
        """Look for pages at once; a pause after a failure is kept."""
        self._woken.set()

    def stop(self) -> None:
        """Let `run` return after the page that it carries."""
        self._ending.set()
        self._woken.set()

    def run(self, *, until: str | None = None) -> None:
        """Carry until `stop`, or until nothing is left to be done for the stack `until`."""
        sweep(self._home / "stacks")
        while not self._ending.is_set():
            self._woken.clear()
            try:
                self.carry_all()
            except Unavailable as error:
                self._say_away("away", error)
                self._ending.wait(self._pause.next(error.retry_after))
                continue
            except Refused as error:
                self._say_away("barred", error)
                self._ending.wait(self._pause.next(_LONGEST_SECONDS))
                continue
            if until is not None and self._is_done(until):
                return
            self._woken.wait(_LOOK_SECONDS)

    def carry_all(self) -> None:
        """Carry all that can be carried now.

        Raises:
            Unavailable: The house does not answer, or not now; what it took is noted.
            Refused: It does not let this computer in; no stack is set aside for that.
        """
        for journal in journals(self._home):
            if self._ending.is_set():
                return
            try:
                self.carry(journal)
            except (Held, FileNotFoundError):
                continue  # another process carries it, or has carried it
            except (JournalDamaged, OSError, SpoolFull) as error:  # `damaged` names it to people
                _LOG.error("stack %s: %s", journal.key, error)

    def carry(self, journal: Journal) -> None:
        """Carry one stack as far as it goes.

        Raises:
            Unavailable, Refused: As above.
            Held: Another process carries it.
            FileNotFoundError: Another process has carried it.
        """
        with journal.carrying():
            self._retry(journal)
            try:
                if not journal.is_ended and not self._is_carried(journal):
                    return
            except HouseFailed as error:
                self._answered()
                self._asked[journal.key] = time.monotonic()
                if journal.set_aside is None:
                    self._set_aside(journal, error.code, error.operator_text)
                return
            if journal.is_ended:
                self._opened.discard(journal.key)
                journal.remove()

    def _is_carried(self, journal: Journal) -> bool:
        """Carry a stack; False where nothing is left to be done for it here."""
        try:
            if self._ended_there(journal):
                return False
            self._carry(journal)
        except Refused as error:
            self._refused(journal, error)
            return False
        return True

    def _retry(self, journal: Journal) -> None:
        """Let a stack be tried again that the house stumbled over a while ago."""
        aside = journal.set_aside
        if aside is None or aside.code != HouseFailed.code:
            return
        if abs((clock.now() - aside.at).total_seconds()) > _AGAIN_SECONDS:
            journal.note_retried()

    def _refused(self, journal: Journal, error: Refused) -> None:
        if error.code in _OF_THE_STATION:
            raise error
        text, is_discarded = error.operator_text, error.code == CODE
        if error.code == TOO_LATE:
            state = self._house.state(journal.key)
            is_discarded, late = state.is_discarded, lacking(journal, state)
            text = too_late(journal, state, late) if late else text
        if is_discarded:
            self._drop(journal)
        else:
            self._set_aside(journal, error.code, text)

    def _ended_there(self, journal: Journal) -> bool:
        """Remove a stack of which there is nothing to do here if it ended in the house."""
        state = self._waiting(journal)
        if state is None:
            return False
        if state.is_discarded:
            self._drop(journal)
            return True
        if not state.is_closed or not journal.pages:
            return False
        if late := lacking(journal, state):  # whatever it confirmed: it may have been restored
            if journal.set_aside is None:
                self._set_aside(journal, TOO_LATE, too_late(journal, state, late))
            return True
        with journal.scanning():
            journal.note_ended()
        self._say("closed", journal)
        journal.remove()
        return True

    def _waiting(self, journal: Journal) -> StackState | None:
        """Return what the house has of a stack that nothing else would ask it for, now and then."""
        waits = journal.closing is None and not journal.untaken
        if not waits and journal.set_aside is None:
            return None
        now, asked = time.monotonic(), self._asked.get(journal.key)
        if asked is not None and now - asked < _ASK_SECONDS:
            return None
        state = None
        try:
            state = self._house.state(journal.key)
        except Refused as error:
            if error.code in _OF_THE_STATION:
                raise
        self._answered()
        self._asked[journal.key] = now
        return state

    def _drop(self, journal: Journal) -> None:
        self._opened.discard(journal.key)
        pages = len(journal.pages)
        said = drop(journal)
        _LOG.warning("stack %s was given up by the house: %d pages", journal.key, pages)
        text = said.operator_text
        self._tell(Carriage(kind="discarded", key=journal.key, pages=pages, operator_text=text))

    def _carry(self, journal: Journal) -> None:
        if journal.set_aside is not None:
            return
        if journal.untaken or journal.closing is not None:
            self._open(journal)
        while not self._ending.is_set() and (untaken := journal.untaken):
            if not self._append(journal, untaken[0]):
                return
        if journal.closing is not None and not journal.untaken:
            self._close(journal)

    def _open(self, journal: Journal) -> None:
        if journal.key in self._opened:
            return
        state = self._house.open(journal.opening)
        self._answered()
        if state.is_discarded:
            raise given_up(journal.key, len(journal.pages))
        untaken = journal.untaken
        left = lacking(journal, state)
        noted, there = ({page.page.facts.number for page in each} for each in (untaken, left))
        for page in untaken:
            if page.page.facts.number not in there:
                journal.note_taken(page.page.facts.number, page.attempt)
        for page in left:  # what the house confirmed before it was restored goes there again
            if page.page.facts.number not in noted:
                journal.note_lost(page.page.facts.number, page.attempt)
        self._opened.add(journal.key)
        self._say("opened", journal)

    def _append(self, journal: Journal, page: StackPage) -> bool:
        number = page.page.facts.number
        try:
            self._house.append(journal.key, page)
        except FileNotFoundError:
            text = (
                f"Die Datei der Seite {number} fehlt auf diesem Rechner. Bitte Blatt "
                f"{page.page.facts.sheet} neu scannen (rescan) und erneut übertragen lassen."
            )
            self._set_aside(journal, "page_missing", text)
            return False
        except OSError as error:
            _LOG.error("page %d of stack %s: %s", number, journal.key, error)
            text = (
                f"Die Datei der Seite {number} ist auf diesem Rechner nicht lesbar. Bitte Blatt "
                f"{page.page.facts.sheet} neu scannen (rescan), erneut übertragen lassen und die "
                "Festplatte prüfen lassen."
            )
            self._set_aside(journal, "page_unreadable", text)
            return False
        self._answered()
        journal.note_taken(number, page.attempt)
        self._say("page", journal)
        return True

    def _close(self, journal: Journal) -> None:
        # Whoever scans may be about to replace a page; then the manifest comes later.
        with journal.scanning():
            closing = journal.closing
            if closing is None or journal.untaken:
                return
            state: StackState = self._house.close(journal.key, closing)
            self._answered()
            if state.is_closed:
                journal.note_ended()
                self._say("closed", journal)

    def _set_aside(self, journal: Journal, code: str, operator_text: str) -> None:
        _LOG.warning("stack %s is set aside for a person: %s", journal.key, code)
        self._opened.discard(journal.key)
        journal.note_refused(code, operator_text)
        self._say("refused", journal, operator_text)

    def _is_done(self, key: str) -> bool:
        try:
            journal = Journal.open(self._home, key)
        except FileNotFoundError:
            return True
        return journal.set_aside is not None or journal.is_ended

    def _say(self, kind: str, journal: Journal, operator_text: str = "") -> None:
        pages = len(journal.pages)
        taken = pages - len(journal.untaken)
        self._tell(
            Carriage(
                kind=kind, key=journal.key, taken=taken, pages=pages, operator_text=operator_text
            )
        )

    def _say_away(self, kind: str, error: AcceptanceFault) -> None:
        _LOG.info("the house takes nothing now: %s", error)
        if self._away != kind:
            self._away = kind
            self._tell(Carriage(kind=kind, operator_text=error.operator_text))

    def _answered(self) -> None:
        self._pause.over()
        if self._away:
            self._away = ""
            self._tell(Carriage(kind="back"))
