"""Scanning at a machine that reaches the house: each page is carried as soon as it is on disk.

What was scanned stays in the journal until the house has it, so a house that is away, or a crash,
costs no sheet: the next scan, or the station's agent, carries what is left.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scanners.device import ScanFault, StackTaken
from scanners.stack.closing import close_stack
from scanners.stack.faults import Refused, Unavailable
from scanners.stack.givingup import drop, given_up
from scanners.stack.journal import Journal, journals
from scanners.stack.lacking import CODE as TOO_LATE
from scanners.stack.locking import Held
from scanners.stack.port import Acceptance
from scanners.stack.replaying import SetAside
from scanners.stack.run import Event, Opener, Order, StackRun
from scanners.stack.sheets import counted
from scanners.stack.shelf import OPENING, JournalDamaged
from scanners.stack.transmission import Carriage, Transmission

_LOOK_SECONDS: Final = 0.5
#: So often nothing came of a stack that another process carries before it is left to that.
_LOOKS: Final = 60
_NOT_YET: Final = (
    "Der Stapel ist auf diesem Rechner gesichert, aber noch nicht angenommen: ein anderer Vorgang "
    "arbeitet daran, oder die Festplatte meldet einen Fehler. Bitte in einigen Minuten nachsehen "
    "und den Stapel, wenn er dann noch offen ist, noch einmal abschließen."
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a stack stands after an act at the desk.

    Attributes:
        batch_id: In the ledger; None where the house has nothing of it yet.
        pages: Pages that count.
        carried: Pages of them that the house has.
        is_closed: The house has received it.
        expected: Sheets as counted by the operator, None where nobody counted.
        operator_text: German: why the house does not take it; empty where it does.
    """

    key: str
    batch_id: str | None
    pages: int
    sheets: int
    carried: int
    is_closed: bool
    expected: int | None
    operator_text: str = ""


class Desk:
    """One workstation: its stacks, its devices and the house."""

    def __init__(
        self,
        home: Path,
        drivers: Opener,
        house: Acceptance,
        *,
        tell: Callable[[Event], None] = lambda _event: None,
        carried: Callable[[Carriage], None] = lambda _carriage: None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the folder of the stacks, the devices and the house; `wait` lets seconds pass."""
        self._home, self._drivers, self._house = home, drivers, house
        self._tell, self._carried, self._wait = tell, carried, wait
        self._run: StackRun | None = None
        self._transmission: Transmission | None = None
        #: What was said of stacks, by key, and of the house, by no key.
        self._refused: dict[str, str] = {}
        self._sheets = 0
        #: Batch id, or key, of the stack that a fault left open; None where it left none.
        self.interrupted: str | None = None

    def cancel(self) -> None:
        """Stop a scan that is under way, from any thread."""
        run = self._run
        if run is not None:
            run.cancel()

    def scan(self, device: str, order: Order, *, keep_open: bool = False) -> Outcome:
        """Scan a new stack; it is received at the end unless it is kept open.

        Raises:
            ScanFault: As `StackRun.scan`; what was scanned is carried, the stack stays open.
            AcceptanceFault: The house refuses; no sheet has moved.
        """
        return self._at(device, lambda run: run.scan(order), order.operator, keep_open=keep_open)

    def go_on(
        self, journal: Journal, operator: str | None, device: str, *, keep_open: bool = False
    ) -> Outcome:
        """Scan more sheets into an open stack; one that was set aside is carried again.

        Raises:
            ScanFault, AcceptanceFault: As `scan`.
            Refused: `stack_discarded`: the house gave it up; it is gone here too. `stack_closed`:
                the house ended it. No sheet has moved.
        """
        self._again(journal, feeding=True)
        return self._at(
            device, lambda run: run.go_on(journal, operator), operator, keep_open=keep_open
        )

    def rescan(
        self, journal: Journal, sheets: Sequence[int], operator: str | None, device: str
    ) -> Outcome:
        """Scan some sheets of an open stack again; it stays open.

        Raises:
            ValueError: It has no such sheet.
            ScanFault, AcceptanceFault: As `go_on`.
        """
        self._again(journal, feeding=True)
        return self._at(
            device, lambda run: run.rescan(journal, sheets, operator), operator, keep_open=True
        )

    def close(self, journal: Journal, operator: str | None) -> Outcome:
        """End an open stack with the pages that it has; one set aside is carried again.

        Raises:
            ValueError: It has none.
            ScanFault: Its sheets are mixed, or it is scanned this moment; it stays open.
            Refused: `stack_discarded`: the house gave it up; it is gone here too.
        """
        self._again(journal)
        self._sheets = counted(journal)
        _end(journal, operator)
        with self._carrying():
            pass
        return self._outcome(journal)

    def _again(self, journal: Journal, *, feeding: bool = False) -> None:
        """Carry a stack again that was set aside: what was wrong with it may be gone.

        Args:
            journal: Of the stack.
            feeding: Whether sheets are to be scanned into it.

        Raises:
            Refused: The house gave it up, or ended it and sheets are to be scanned.
        """
        state, pages = None, len(journal.pages)
        with contextlib.suppress(Refused, Unavailable):  # whoever carries it is told
            state = self._house.state(journal.key)
        if state is not None and state.is_discarded:
            with contextlib.suppress(Held, FileNotFoundError):  # whoever carries it removes it
                drop(journal)
            raise given_up(journal.key, pages)
        if feeding and state is not None and state.is_closed:
            text = (
                f"Der Stapel {state.batch_id} ist im Haus schon abgeschlossen; es wurde kein Blatt "
                "eingezogen. Bitte weitere Blätter als neuen Stapel scannen."
            )
            message = f"the house ended stack {journal.key}"
            raise Refused(message, operator_text=text, code=TOO_LATE)
        if journal.set_aside is not None:
            with contextlib.suppress(Held):  # it is carried this moment
                journal.note_retried()

    def stack(self, wanted: str) -> Journal | None:
        """Return the open stack whose key or batch id begins so; None for none or several."""
        found = [each for each in journals(self._home) if self._is_called(each, wanted)]
        return found[0] if len(found) == 1 else None

    def _is_called(self, journal: Journal, wanted: str) -> bool:
        if journal.key.startswith(wanted):
            return True
        with contextlib.suppress(Refused, Unavailable):
            return self._house.state(journal.key).batch_id.startswith(wanted)
        return False

    def _at(
        self,
        device: str,
        act: Callable[[StackRun], Journal],
        operator: str | None,
        *,
        keep_open: bool,
    ) -> Outcome:
        run = self._run = StackRun(
            self._home, self._drivers, device, house=self._house, tell=self._told
        )
        self.interrupted = None
        try:
            with self._carrying():
                journal = act(run)
                self._sheets = counted(journal)
                if not keep_open:
                    _end(journal, operator)
        except ScanFault:
            self.interrupted = None if run.journal is None else self._name(run.journal)
            raise
        finally:
            self._run = None
        return self._outcome(journal)

    def _name(self, journal: Journal) -> str:
        with contextlib.suppress(Refused, Unavailable):
            return self._house.state(journal.key).batch_id
        return journal.key

    def _told(self, event: Event) -> None:
        if event.kind == "page" and self._transmission is not None:
            self._transmission.wake()
        self._tell(event)

    def _heard(self, carriage: Carriage) -> None:
        if carriage.operator_text:
            self._refused[carriage.key] = carriage.operator_text
        elif carriage.kind == "back":
            self._refused.pop("", None)
        self._carried(carriage)

    @contextlib.contextmanager
    def _carrying(self) -> Iterator[None]:
        """Carry while the block runs, and what can be carried at its end, whatever its end is."""
        self._refused = {}
        transmission = self._transmission = Transmission(self._home, self._house, tell=self._heard)
        carrier = threading.Thread(target=transmission.run, name="transmission", daemon=True)
        carrier.start()
        try:
            yield
        finally:
            transmission.stop()
            carrier.join()
            self._transmission = None
            last = Transmission(self._home, self._house, tell=self._heard)
            try:
                last.carry_all()
            except (Unavailable, Refused) as error:
                self._refused[""] = error.operator_text

    def _await_others(self, journal: Journal) -> None:
        """Let another process that carries a stack which shall end come to its end, if it does."""
        looks, before = 0, -1
        with contextlib.suppress(JournalDamaged, OSError):  # it is gone, or is named elsewhere
            while looks < _LOOKS and journal.closing and not (journal.set_aside or self._refused):
                try:
                    Transmission(self._home, self._house, tell=self._heard).carry(journal)
                except Held:
                    left = len(journal.untaken)
                    looks, before = looks + 1 if left == before else 0, left
                    self._wait(_LOOK_SECONDS)
                except (Unavailable, Refused) as error:
                    self._refused[""] = error.operator_text
                else:
                    return

    def _outcome(self, journal: Journal) -> Outcome:
        self._await_others(journal)
        left = _left(journal)
        opening = journal.opening
        batch_id, carried, closed = None, 0, left is None
        with contextlib.suppress(Refused, Unavailable):
            state = self._house.state(journal.key)
            batch_id, carried, closed = state.batch_id, len(state.pages), state.is_closed
        set_aside = None if left is None else left.set_aside
        refused = self._refused.get(journal.key) or self._refused.get("", "")
        if left is not None and left.shall_end:
            refused = refused or _NOT_YET
        if set_aside is not None:  # it may have ended in the house without pages of here
            refused, closed = set_aside.operator_text, False
        return Outcome(
            key=journal.key,
            batch_id=batch_id,
            pages=carried if left is None else left.pages,
            sheets=self._sheets if left is None else left.sheets,
            carried=carried,
            is_closed=closed,
            expected=opening.expected_sheets,
            operator_text="" if closed else refused,
        )


@dataclass(frozen=True, kw_only=True)
class _Left:
    """What of a stack is on this computer; attributes as those of `Journal`."""

    pages: int
    sheets: int
    shall_end: bool
    set_aside: SetAside | None


def _left(journal: Journal) -> _Left | None:
    """Return what is left of a stack here; None where it is gone, or is just going."""
    try:
        if not (journal.folder / OPENING).exists():
            return None
        return _Left(
            pages=len(journal.pages),
            sheets=counted(journal),
            shall_end=journal.closing is not None,
            set_aside=journal.set_aside,
        )
    except FileNotFoundError:
        return None


def _end(journal: Journal, operator: str | None) -> None:
    """Let a stack end; one that is carried to its end this moment has ended already.

    Raises:
        ValueError, SheetMixed: As `close_stack`.
        StackTaken: Somebody scans it.
    """
    try:
        close_stack(journal, operator)
    except FileNotFoundError:
        return  # the house has it
    except Held as error:
        try:
            is_ending = journal.closing is not None
        except FileNotFoundError:
            return
        if not is_ending:
            message = f"stack {journal.key} is scanned by another process"
            raise StackTaken(message) from error
