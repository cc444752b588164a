"""The real child of SANE, in which something happens at a page that the environment names.

`python -m tests.plugins.sane_child`; `SANE_AT_PAGE` is the number and `SANE_HAPPENS` what:

jam     from then on the backend jams in every read
killed  the process is killed when the first bytes of the page came
held    the page waits in its middle until somebody asks to stop
taken   the device is opened a second time
empty   the feeder was emptied before
dies    the process is killed while it looks up what the device is; AT does not matter
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from scanners.device import Effective, ScannedPage
from scanners.device.telling import Telling, converse
from scanners.sane import child
from scanners.sane.abi import SaneFault
from scanners.sane.child import Opened
from scanners.sane.library import Library
from scanners.sane.reading import fault_of

AT = int(os.environ.get("SANE_AT_PAGE", "0"))
HAPPENS = os.environ.get("SANE_HAPPENS", "")


class Told(Telling):
    """Tells as ever, and lets things happen at the page."""

    def __init__(self, telling: Telling) -> None:
        super().__init__(telling._answers, telling._orders)

    @override
    def progress(self, page: int, size: int) -> None:
        super().progress(page, size)
        if page == AT and HAPPENS == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        while page == AT and HAPPENS == "held" and not self.cancelled():
            time.sleep(0.005)


@dataclass(frozen=True)
class Troubled:
    """An open device."""

    opened: Opened
    request: dict[str, Any]

    @property
    def told(self) -> Mapping[str, Any]:
        return self.opened.told

    @property
    def effective(self) -> Mapping[str, Effective]:
        return self.opened.effective

    def pages(self) -> Iterator[ScannedPage]:
        if HAPPENS == "taken":
            self._take()
        if HAPPENS == "empty":
            self._empty()
        for page in self.opened.pages():
            yield page
            if page.facts.number == AT - 1 and HAPPENS == "jam":
                self.opened.stack.handle.put("read-return-value", "SANE_STATUS_JAMMED")

    def _take(self) -> None:
        """Open the device as a second person would, in the one process that the backend sees."""
        library = Library.__new__(Library)
        library._lib = self.opened.stack.handle._lib
        try:
            library.open(self.request["device"])
        except SaneFault as error:
            raise fault_of(error, 0) from error

    def _empty(self) -> None:
        """Take all sheets away, so that the next start finds none."""
        handle = self.opened.stack.handle
        for _ in range(10):
            handle.start()
            for _ in handle.chunks():
                pass


@contextmanager
def opening(request: dict[str, Any], telling: Telling) -> Iterator[Troubled]:
    """Open as the product does."""
    with child.opening(request, telling) as opened:
        yield Troubled(opened, request)


def serve(request: dict[str, Any], telling: Telling) -> None:
    """Scan."""
    if HAPPENS == "dies" and request["look_up"]:
        os.kill(os.getpid(), signal.SIGKILL)
    Told(telling).scan(request, opening)


if __name__ == "__main__":
    converse(serve)
