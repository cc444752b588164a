"""Buttons of scanners, looked at between scans."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ingest.sandbox import Ended, Stalled, Stream
from scanners.device import DeviceBusy
from scanners.stack.reserving import alone
from scanners.station.settings import Button

_LOG = logging.getLogger(__name__)
#: Shorter than anybody holds a button, long enough for drivers that open slowly.
_LOOK_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 20.0
_DRIVER: Final = "sane:"


class ButtonWatch:
    """Looks at the buttons of one device in a child process, and starts what they stand for.

    The device is taken for each look only. A button counts when it was up at the look before, so
    one that a driver keeps down starts once.
    """

    def __init__(
        self,
        home: Path,
        buttons: Sequence[Button],
        press: Callable[[Button], None],
        *,
        environment: Mapping[str, str],
    ) -> None:
        """Watch `buttons`, all of one device; `press` is called from the thread of `run`."""
        self._home, self._press, self._environment = home, press, environment
        self._buttons = {button.button: button for button in buttons}
        self._device = buttons[0].device
        self._child: Stream | None = None
        self._before: dict[str, Any] | None = None

    def run(self, ending: threading.Event) -> None:
        """Look until `ending`."""
        try:
            while not ending.wait(_LOOK_SECONDS):
                self.look()
        finally:
            self._drop()

    def look(self) -> None:
        """Look once; a device that is in use or does not answer is looked at next time."""
        try:
            with alone(self._home, self._device):
                now = self._now()
        except DeviceBusy:
            return
        except (Stalled, Ended) as error:
            _LOG.warning("buttons of %s: %s", self._device, error)
            self._drop()
            return
        before, self._before = self._before, now
        if before is None or now is None:
            return
        for name, button in self._buttons.items():
            if now.get(name) and not before.get(name):
                self._press(button)

    def _now(self) -> dict[str, Any] | None:
        if self._child is None:
            self._child = Stream("scanners.sane.buttons", environment=self._environment)
        device = self._device.removeprefix(_DRIVER)
        self._child.tell({"device": device, "buttons": list(self._buttons)})
        said = self._child.next(_ANSWER_SECONDS)
        if said["event"] != "buttons":
            _LOG.info("buttons of %s: %s", self._device, said.get("message"))
            return None
        pressed: dict[str, Any] = said["pressed"]
        return pressed

    def _drop(self) -> None:
        child, self._child, self._before = self._child, None, None
        if child is not None:
            with contextlib.suppress(OSError):
                child.close()
