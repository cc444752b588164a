"""The child's side of a session: it is told one thing and tells what happens, line by line.

Drivers print where they like, so standard output is kept apart from the lines. The child is
interrupted once to stop at the next piece of the page; asked twice it ends at once, and nothing
is half written. Windows cannot interrupt a process, so while a stack is read any further line on
standard input counts as an interruption.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import IO, Any, Protocol, TextIO

from scanners.device.faults import ScanFault
from scanners.device.pages import ScannedPage
from scanners.device.settings import Effective


class Opened(Protocol):
    """A device that is open, its settings made."""

    @property
    def told(self) -> Mapping[str, Any]:
        """What the device said of itself: fields of `Device`."""
        ...

    @property
    def effective(self) -> Mapping[str, Effective]:
        """What was asked for and what became of it."""
        ...

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable."""
        ...


#: Opens a device as the request says; given itself to ask whether to stop and to tell progress.
Opening = Callable[[dict[str, Any], "Telling"], AbstractContextManager[Opened]]


class Telling:
    """The conversation of one child."""

    def __init__(self, answers: TextIO, orders: IO[bytes]) -> None:
        """Answer to `answers`, obey `orders`, which reads nothing ahead, and be interrupted."""
        self._answers, self._orders = answers, orders
        self._cancelled = False
        signal.signal(signal.SIGINT, self._interrupted)

    def cancelled(self) -> bool:
        """Tell whether the scan shall stop."""
        return self._cancelled

    def say(self, event: str, **said: Any) -> None:
        """Write one line."""
        self._answers.write(json.dumps({"event": event, **said}) + "\n")
        self._answers.flush()

    def progress(self, page: int, size: int) -> None:
        """Say how many bytes of a page there are."""
        self.say("progress", page=page, bytes=size)

    def fault(self, error: ScanFault) -> None:
        """Say what went wrong."""
        self.say(
            "fault",
            code=error.code,
            message=str(error),
            operator_text=error.operator_text,
            pages_done=error.pages_done,
        )

    def scan(self, request: dict[str, Any], opening: Opening) -> None:
        """Open, wait for the start, and tell each page; whatever goes wrong is said.

        How the stack ended is said before the device is given back: drivers hang in that, and a
        jam must not be taken for a stalled device, nor a whole stack for a broken one.
        """
        try:
            with opening(request, self) as opened:
                effective = {name: asdict(made) for name, made in opened.effective.items()}
                self.say("opened", device=dict(opened.told), effective=effective)
                if not self._orders.readline():
                    return
                threading.Thread(target=self._heed, daemon=True).start()
                self._pages(opened)
        except ScanFault as error:
            self.fault(error)

    def _pages(self, opened: Opened) -> None:
        try:
            for page in opened.pages():
                self.say("page", page=page.to_json())
        except ScanFault as error:
            self.fault(error)
        else:
            self.say("end")

    def _heed(self) -> None:
        while self._orders.readline():
            self._interrupted(signal.SIGINT, None)

    def _interrupted(self, number: int, frame: object) -> None:
        del number, frame
        if self._cancelled:
            os._exit(2)
        self._cancelled = True


def converse(serve: Callable[[dict[str, Any], Telling], None]) -> None:
    """Read one request from standard input and serve it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Without a buffer: a thread that waits in one would hinder the end of the process.
    orders = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a descriptor
    if line := orders.readline():
        serve(json.loads(line), Telling(answers, orders))
