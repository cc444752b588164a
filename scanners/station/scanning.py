"""Stacks at this station: scanned, continued, scanned again, ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final, TypeVar

from scanners.device import DeviceBusy, SpoolFull
from scanners.drivers import Drivers, installed
from scanners.stack import Acceptance, Unavailable
from scanners.stack.desk import Desk, Outcome
from scanners.stack.journal import Journal, journals
from scanners.stack.replaying import SetAside
from scanners.stack.run import Order
from scanners.stack.transmission import Carriage, Transmission
from scanners.station.buttons import wanted
from scanners.station.faults import StationFault, Unusable
from scanners.station.home import Home
from scanners.station.picture import Picture

_OF_THE_HOUSE: Final = frozenset({"away", "back", "barred"})
_LOOKS: Final = 10
_LOOK_SECONDS: Final = 0.5
T = TypeVar("T")


def drivers_of(home: Home) -> Drivers:
    """Return the ways of driving scanners that the settings name."""
    wanted = home.settings
    return installed(
        escl=wanted.escl,
        discovery=wanted.discovery,
        sane=wanted.sane,
        sane_config=wanted.sane_config,
        twain=wanted.twain,
    )


class Workplace:
    """A station with its house, at work."""

    def __init__(self, home: Home, house: Acceptance, picture: Picture) -> None:
        """Show what happens on `picture`."""
        self._home, self._house, self._picture = home, house, picture
        self._desk = Desk(
            home.path, drivers_of(home), house, tell=picture.tell, carried=self.carried
        )

    def carried(self, carriage: Carriage) -> None:
        """Show what the house took, and keep how it answers for `status`."""
        if carriage.kind in _OF_THE_HOUSE:
            with contextlib.suppress(OSError, SpoolFull):  # the stacks matter more
                self._home.see_house(carriage.kind, carriage.operator_text)
        self._picture.carried(carriage)

    def cancel(self) -> None:
        """Stop a scan that is under way, from any thread."""
        self._desk.cancel()

    def scan(self, device: str, order: Order, *, keep_open: bool = False) -> Outcome:
        """Scan a new stack.

        Raises:
            ScanFault, AcceptanceFault: As `scanners.stack.desk.Desk.scan`.
        """
        return self._patiently(device, lambda: self._desk.scan(device, order, keep_open=keep_open))

    def go_on(
        self, journal: Journal, operator: str | None, device: str, *, keep_open: bool = False
    ) -> Outcome:
        """Scan more sheets into an open stack.

        Raises:
            ScanFault, AcceptanceFault: As `scan`.
        """
        return self._patiently(
            device, lambda: self._desk.go_on(journal, operator, device, keep_open=keep_open)
        )

    def rescan(
        self, journal: Journal, sheets: Sequence[int], operator: str | None, device: str
    ) -> Outcome:
        """Scan some sheets again; a stack that was ended here, but waits, is ended again.

        Raises:
            Unusable: It has no such sheet.
            ScanFault, AcceptanceFault: As `scan`.
        """
        was_ended = journal.closing is not None
        try:
            outcome = self._patiently(
                device, lambda: self._desk.rescan(journal, sheets, operator, device)
            )
        except ValueError as error:
            text = f"Diese Blätter hat der Stapel nicht: {', '.join(map(str, sheets))}."
            raise Unusable(text) from error
        self._carry_again(journal)
        return self._desk.close(journal, operator) if was_ended else outcome

    def close(self, journal: Journal, operator: str | None) -> Outcome:
        """End an open stack with the pages that it has.

        Raises:
            Unusable: It has none.
        """
        try:
            return self._desk.close(journal, operator)
        except ValueError as error:
            raise Unusable("Der Stapel hat keine Seite.") from error

    def _carry_again(self, journal: Journal) -> None:
        """Carry a stack that was set aside: what was wrong with it may be gone."""
        if journal.set_aside is not None:
            journal.note_retried()
            with contextlib.suppress(Unavailable):  # the service carries it later
                Transmission(self._home.path, self._house, tell=self.carried).carry_all()

    def _patiently(self, device: str, act: Callable[[], T]) -> T:
        """Act, waiting until whoever watches the device's buttons has let go of it."""
        if not any(button.device == device for button in self._home.settings.buttons):
            return act()
        with wanted(self._home.path, device):
            for _ in range(_LOOKS):
                with contextlib.suppress(DeviceBusy):
                    return act()
                time.sleep(_LOOK_SECONDS)
            return act()


def stack_of(home: Home, wanted: str | None) -> Journal:
    """Return the stack whose key begins so, or the only one that is open.

    Raises:
        Unusable: There is none, or there are several.
    """
    known = journals(home.path)
    if wanted is None:
        found = [each for each in known if each.closing is None and not each.is_ended]
    else:
        found = [each for each in known if each.key.startswith(wanted.strip().lower())]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unusable("Einen solchen offenen Stapel gibt es hier nicht. Siehe »status«.")
    keys = ", ".join(each.key[:8] for each in found)
    raise Unusable(f"Bitte den Stapel nennen (--stack); es gibt mehrere: {keys}.")


def device_of(journal: Journal) -> str:
    """Return the device on which a stack began."""
    device = journal.opening.device
    return f"{device.driver}:{device.id}"


def refusal(home: Home, key: str) -> SetAside | None:
    """Return why the house refuses a stack; None where it does not, or has it."""
    try:
        return Journal.open(home.path, key).set_aside
    except FileNotFoundError:
        return None


def report(home: Home, outcome: Outcome, picture: Picture) -> int:
    """Say how a stack stands, and return the exit code: 3 where a person has to act."""
    refused = refusal(home, outcome.key)
    state = _state(home, outcome, is_refused=refused is not None)
    picture.say(
        f"Stapel {outcome.key[:8]}: {outcome.sheets} Blätter, {outcome.pages} Seiten, "
        f"{_STATES[state]}",
        message_type="scan",
        event="ended",
        state=state,
        **asdict(outcome),
    )
    differs = outcome.expected is not None and outcome.expected != outcome.sheets
    if differs:
        picture.say(
            f"Gezählt waren {outcome.expected} Blätter. Bitte den Stapel mit dem Papier "
            "vergleichen.",
            message_type="scan",
            event="count_differs",
            expected=outcome.expected,
            sheets=outcome.sheets,
        )
    if refused is not None or state == "discarded":
        raise StationFault(outcome.operator_text if refused is None else refused.operator_text)
    return StationFault.exit_code if differs else 0


_STATES: Final = {
    "received": "vom Haus angenommen.",
    "waiting": "auf diesem Rechner gesichert; geht zum Haus, sobald es antwortet (»run«).",
    "open": "offen; weiter mit »resume«, abschließen mit »close«.",
    "refused": "vom Haus abgelehnt.",
    "discarded": "im Haus verworfen und hier gelöscht.",
}


def _state(home: Home, outcome: Outcome, *, is_refused: bool) -> str:
    if outcome.is_closed:
        return "received"
    if is_refused:
        return "refused"
    try:
        closing = Journal.open(home.path, outcome.key).closing
    except FileNotFoundError:
        return "discarded"  # it is neither here nor received
    return "open" if closing is None else "waiting"
