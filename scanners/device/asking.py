"""Questions to many devices at once, of which some are never answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from scanners.device.faults import DeviceStalled, ScanFault

_Answer = TypeVar("_Answer")


def answers(
    questions: Mapping[str, Callable[[], _Answer]], seconds: float
) -> dict[str, _Answer | ScanFault]:
    """Ask all at once and return what each came to, in the order of the questions.

    What has not come within so many seconds is `DeviceStalled`; its thread is left behind and
    does not keep the program from ending.
    """
    found: dict[str, _Answer | ScanFault] = {}

    def ask(name: str, question: Callable[[], _Answer]) -> None:
        try:
            found[name] = question()
        except ScanFault as error:
            found[name] = error

    limit = time.monotonic() + seconds
    threads = [
        threading.Thread(target=ask, args=each, daemon=True, name=f"asking {each[0]}")
        for each in questions.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))
    silent = DeviceStalled(f"no answer within {seconds:g} s")
    return {name: found.get(name, silent) for name in questions}
