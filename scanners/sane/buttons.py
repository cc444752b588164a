"""The process that looks at the buttons of a scanner: `python -m scanners.sane.buttons`.

SANE shows a button as an option that can be read; a driver holds its device for as long as it is
open. So the device is opened for each look only, and is free for scanning in between.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from scanners.device import DeviceGone
from scanners.device.telling import Telling, converse
from scanners.sane.library import Library, SaneFault
from scanners.sane.reading import fault_of


def serve(request: dict[str, Any], telling: Telling) -> None:
    """Look once for each line that comes, the request being the first.

    Each look says `buttons`: the value of each button that the request names, False where the
    device has none of that name; or a fault.
    """
    try:
        library = Library()
    except (OSError, SaneFault) as error:
        telling.fault(DeviceGone(str(error)))
        return
    look: dict[str, Any] | None = request
    while look is not None:
        try:
            telling.say("buttons", pressed=_pressed(library, look["device"], look["buttons"]))
        except SaneFault as error:
            telling.fault(fault_of(error, 0))
        line = sys.stdin.readline()
        look = json.loads(line) if line else None
    library.close()


def _pressed(library: Library, device: str, names: list[str]) -> dict[str, bool]:
    handle = library.open(device)
    try:
        known = handle.options()
        return {
            name: name in known and known[name].readable and bool(handle.value(name))
            for name in names
        }
    finally:
        handle.close()


if __name__ == "__main__":
    converse(serve)
