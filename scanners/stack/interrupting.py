"""Ctrl-C at a scanner: the device is stopped in order, and what was scanned stays.

The same holds for whoever ends the process otherwise: a service manager, the terminal that closes.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from scanners.device import ScanCancelled

EXIT_INTERRUPTED: Final = 130


def _ends() -> Mapping[int, Any]:
    """Return the signals that end a process of this system, and what a second one does.

    A shell passes the end of its terminal on to its jobs, which hear of it twice.
    """
    second: dict[int, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
    }
    for name, handler in (("SIGHUP", signal.SIG_IGN), ("SIGBREAK", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # `nohup`
            second[number] = handler
    return MappingProxyType(second)


class Interrupted(ScanCancelled):
    """A signal to this process stopped the scan."""


@contextlib.contextmanager
def interruptible(cancel: Callable[[], None]) -> Iterator[None]:
    """Let what ends the process call `cancel` in the block; a second one ends it at once.

    Main thread only.

    Raises:
        Interrupted: The scan in the block was cancelled so.
    """
    second, came = _ends(), False

    def stop(number: int, frame: object) -> None:
        nonlocal came
        del number, frame
        came = True
        for each, handler in second.items():
            signal.signal(each, handler)
        cancel()

    before = {number: signal.signal(number, stop) for number in second}
    try:
        yield
    except ScanCancelled as error:
        if not came:  # at the device
            raise
        said = error.operator_text
        raise Interrupted(str(error), pages_done=error.pages_done, operator_text=said) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stoppable(stop: Callable[[], None]) -> Iterator[Callable[[], int]]:
    """Let what ends the process call `stop` in the block, as often as it comes. Main thread only.

    Yields:
        Returns the exit code of a service that ended so: 130 after Ctrl-C, 0 otherwise.
    """
    code = 0

    def heard(number: int, frame: object) -> None:
        nonlocal code
        del frame
        code = EXIT_INTERRUPTED if number == signal.SIGINT else code
        stop()

    before = {number: signal.signal(number, heard) for number in _ends()}
    try:
        yield lambda: code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
