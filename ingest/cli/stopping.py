"""When a long-running command ends: a signal, or a thread that died.

A process whose sweep or channel is dead looks alive to every service manager and takes no
more letters. So a thread that ends with an exception ends the process with exit code 70,
and systemd or compose start it anew; the ledger knows what was going on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog
from typing_extensions import override

log = structlog.get_logger(__name__)

EXIT_BUG: Final = 70
EXIT_INTERRUPTED: Final = 130
_LOOKING_SECONDS: Final = 0.5


class Stop(threading.Event):
    """Set when the command has to end; knows whether that is a failure."""

    def __init__(self) -> None:
        """Start unset."""
        super().__init__()
        self.has_failed = False
        self.is_interrupted = False

    @override
    def wait(self, timeout: float | None = None) -> bool:
        """Wait as `threading.Event` does, and notice a signal that another thread received.

        Python runs handlers in the main thread only, between two instructions. The kernel may
        hand a signal to any thread (it does so when the main thread has one pending, as after
        SIGCONT); a main thread that waits without limit would then sleep through SIGTERM.
        """
        if timeout is not None:
            return super().wait(timeout)
        while not super().wait(_LOOKING_SECONDS):
            pass
        return True

    @property
    def exit_code(self) -> int:
        """Zero after SIGTERM, 130 after Ctrl-C, or the code for a bug."""
        if self.has_failed:
            return EXIT_BUG
        return EXIT_INTERRUPTED if self.is_interrupted else 0


@contextmanager
def stopping() -> Iterator[Stop]:
    """Yield a `Stop` that SIGINT, SIGTERM and a dying thread set; a second signal ends at once."""
    stop = Stop()

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.is_interrupted = number == signal.SIGINT
        stop.set()

    def died(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread else "?"
        exception = arguments.exc_value
        stop.has_failed = True
        stop.set()
        log.error("thread_died", thread=name, error=repr(exception), exc_info=exception)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    hook = threading.excepthook
    threading.excepthook = died
    try:
        yield stop
    finally:
        stop.set()
        threading.excepthook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
