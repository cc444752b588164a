"""Buttons of scanners, watched between scans.

Who watches a device holds it, so whoever wants to scan says so and the watch lets go: another
command of this station by a lock that it keeps for as long as it needs the device.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from scanners.device import ScanFault
from scanners.device.buttons import Watch
from scanners.stack.locking import Held, held
from scanners.station.settings import Button

_LOG = logging.getLogger(__name__)
_WANTED_SECONDS: Final = 0.5  #: between two looks whether somebody wants the device
_FAULT_SECONDS: Final = 10.0  #: before a device that is not there is watched again
_DRIVER: Final = "sane:"


class Watching(Protocol):
    """A driver whose devices have buttons."""

    def watch(self, device_id: str) -> Watch:
        """Watch the keys of a device; see `scanners.sane.SaneDriver.watch`."""
        ...


@contextlib.contextmanager
def wanted(home: Path, device: str) -> Iterator[None]:
    """Have the watch of a device's buttons let go for the block."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Held):  # somebody else here wants it too, and that is enough
            stack.enter_context(held(_lock(home, device)))
        yield


class ButtonWatch:
    """Watches the buttons of one device and starts what they stand for."""

    def __init__(
        self,
        home: Path,
        driver: Watching,
        buttons: Sequence[Button],
        press: Callable[[Button], None],
    ) -> None:
        """Watch `buttons`, all of one device; `press` is called while nobody holds the device."""
        self._home, self._driver, self._press = home, driver, press
        self._buttons = {button.button: button for button in buttons}
        self._device = buttons[0].device

    def run(self, ending: threading.Event) -> None:
        """Watch until `ending`."""
        while not ending.is_set():
            if self._is_wanted():
                ending.wait(_WANTED_SECONDS)
                continue
            try:
                button = self._next(ending)
            except ScanFault as error:
                _LOG.info("buttons of %s: %s", self._device, error)
                ending.wait(_FAULT_SECONDS)
                continue
            if button is not None:
                self._press(button)

    def _next(self, ending: threading.Event) -> Button | None:
        """Return the next button that is pressed; None when the device has to be let go.

        Raises:
            ScanFault: It cannot be watched.
        """
        over = threading.Event()
        with self._driver.watch(self._device.removeprefix(_DRIVER)) as watch:
            guard = threading.Thread(target=self._let_go, args=(watch, ending, over))
            guard.start()
            try:
                return next((self._buttons[name] for name in watch if name in self._buttons), None)
            finally:
                over.set()
                guard.join()

    def _let_go(self, watch: Watch, ending: threading.Event, over: threading.Event) -> None:
        while not over.wait(_WANTED_SECONDS):
            if ending.is_set() or self._is_wanted():
                watch.stop()
                return

    def _is_wanted(self) -> bool:
        try:
            with held(_lock(self._home, self._device)):
                return False
        except Held:
            return True


def _lock(home: Path, device: str) -> Path:
    name = hashlib.sha256(device.encode()).hexdigest()[:32]
    return home / "locks" / f"wanted-{name}"
