"""What runs all day at a station: stacks are carried, profiles kept, buttons start scans."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Final

from scanners.device import ScanFault, SpoolFull
from scanners.sane import SaneDriver
from scanners.stack import Acceptance, AcceptanceFault
from scanners.stack.desk import Outcome
from scanners.stack.journal import Journal, journals
from scanners.stack.locking import Held
from scanners.stack.run import Order
from scanners.stack.sheets import whole_sheets
from scanners.stack.shelf import JournalDamaged
from scanners.stack.transmission import Transmission
from scanners.station.buttons import ButtonWatch
from scanners.station.connecting import profile_of, refresh_profiles
from scanners.station.faults import HELD, StationFault
from scanners.station.home import Home
from scanners.station.picture import Picture
from scanners.station.scanning import Workplace, device_of, report
from scanners.station.settings import Button

_LOG = logging.getLogger(__name__)
_PROFILE_SECONDS: Final = 600.0
_PIECE_SECONDS: Final = 1.0  #: on Windows, Ctrl-C does not end a wait
_DISK: Final = (
    "Die Festplatte dieses Rechners meldet einen Fehler. Was als gescannt gezählt wurde, ist "
    "gesichert. Bitte die Betreuung verständigen; »status« nennt, was betroffen ist."
)


class Agent:
    """The station's service."""

    def __init__(self, home: Home, house: Acceptance, picture: Picture) -> None:
        """Work for `home`; what happens is shown on `picture`."""
        self._home, self._house, self._picture = home, house, picture
        carried = Workplace(home, house, picture).carried
        self._transmission = Transmission(home.path, house, tell=carried)
        #: By device; each is at work in the thread of its buttons.
        self._at_work: dict[str, Workplace] = {}
        self._ending = threading.Event()
        self._broken: list[BaseException] = []
        #: Stacks that a button began and a fault interrupted, by device.
        self._interrupted: dict[str, str] = {}

    def stop(self) -> None:
        """Let `run` return after the page that is under way; a scan is interrupted."""
        self._ending.set()
        self._transmission.stop()
        for workplace in list(self._at_work.values()):
            workplace.cancel()

    def run(self) -> None:
        """Work until `stop`.

        Raises:
            Exception: A part broke; the others were stopped, and nothing is lost.
        """
        tasks: list[Callable[[], None]] = [self._transmission.run]
        environment = {}
        if self._home.settings.sane_config is not None:
            environment["SANE_CONFIG_DIR"] = str(self._home.settings.sane_config)
        by_device = sorted(self._home.settings.buttons, key=lambda button: button.device)
        for _, buttons in groupby(by_device, key=lambda button: button.device):
            driver = SaneDriver(environment=environment)
            watch = ButtonWatch(self._home.path, driver, list(buttons), self.pressed)
            tasks.append(partial(watch.run, self._ending))
        threads = [threading.Thread(target=self._guarded, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        while not self._ending.is_set():
            # `status` shows it; on a full disk yesterday's profiles are kept
            with contextlib.suppress(AcceptanceFault, OSError, SpoolFull):
                refresh_profiles(self._home, self._house)
            self._rest()
        self.stop()
        for thread in threads:
            thread.join()
        if self._broken:
            raise self._broken[0]

    def pressed(self, button: Button) -> None:
        """Scan what a button stands for; after a fault the same button continues its stack.

        Only for the person who began it, also after this service began anew: another one has other
        sheets, which become a stack of their own. What goes wrong is said; the service goes on.
        """
        before = self._stacks(button.device)
        self._picture.say(
            f"Taste „{button.button}“: Profil {button.profile}",
            message_type="button",
            device=button.device,
            button=button.button,
            profile=button.profile,
        )
        try:
            outcome = self._scanned(button)
            self._interrupted.pop(button.device, None)
            report(self._home, outcome, self._picture)
        except (ScanFault, AcceptanceFault, StationFault, JournalDamaged) as error:
            self._faulty(button, before, error.operator_text)
        except Held:
            self._faulty(button, before, HELD)
        except OSError as error:
            _LOG.error("a scan by a button of %s: %s", button.device, error)
            self._faulty(button, before, _DISK)

    def _faulty(self, button: Button, before: set[str], operator_text: str) -> None:
        for key in self._stacks(button.device) - before:
            self._interrupted[button.device] = key
        self._picture.say(
            operator_text,
            message_type="fault",
            device=button.device,
            operator_text=operator_text,
        )

    def _scanned(self, button: Button) -> Outcome:
        operator, device = self._home.operator, button.device
        workplace = self._at_work[device] = Workplace(self._home, self._house, self._picture)
        try:
            interrupted = self._to_continue(button, operator)
            if interrupted is not None:
                return workplace.go_on(interrupted, operator, device)
            self._say_left_open(device)
            profile = profile_of(self._home, self._house, button.profile)
            station = self._home.settings.code
            return workplace.scan(
                device, Order(profile=profile, operator=operator, station=station)
            )
        finally:
            del self._at_work[device]

    def _to_continue(self, button: Button, operator: str | None) -> Journal | None:
        known = self._interrupted.get(button.device)
        theirs = [
            journal
            for journal in reversed(journals(self._home.path))
            if journal.closing is None
            and journal.opening.profile == button.profile
            and journal.opening.operator == operator
        ]
        for journal in theirs:
            if journal.key == known:
                return journal
        return next((each for each in theirs if _was_interrupted(each, button.device)), None)

    def _say_left_open(self, device: str) -> None:
        """Say, once, that sheets now go into another stack than the one that was interrupted."""
        key = self._interrupted.pop(device, None)
        for journal in journals(self._home.path):
            if journal.key == key and journal.closing is None:
                sheets = whole_sheets(journal)
                text = (
                    f"Der Stapel {key[:8]} ist nach Blatt {sheets} unterbrochen und bleibt offen. "
                    "Jetzt gilt ein anderes Kürzel oder Profil: was eingezogen wird, ist ein neuer "
                    f"Stapel. Jenen bitte fortsetzen (»resume --stack {key[:8]}«) oder abschließen "
                    f"(»close --stack {key[:8]}«)."
                )
                said = {"stack": key, "after_sheet": sheets, "operator_text": text}
                self._picture.say(text, message_type="left_open", device=device, **said)

    def _stacks(self, device: str) -> set[str]:
        known = journals(self._home.path)
        return {journal.key for journal in known if device_of(journal) == device}

    def _rest(self) -> None:
        limit = time.monotonic() + _PROFILE_SECONDS
        while not self._ending.is_set() and time.monotonic() < limit:
            self._ending.wait(_PIECE_SECONDS)

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`, in the main thread
            _LOG.exception("a part of the station broke")
            self._broken.append(error)
        finally:
            self._ending.set()


def _was_interrupted(journal: Journal, device: str) -> bool:
    """Tell whether a stack stopped at a device, and was not kept open on purpose."""
    return device_of(journal) == device and (journal.is_interrupted or journal.is_cut_off)
