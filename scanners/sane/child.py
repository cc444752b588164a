"""The process that holds the SANE backend: `python -m scanners.sane.child`.

It is told one thing on standard input, a JSON object a line, and answers with lines of JSON on
standard output; backends print where they like, so that is kept apart. It is interrupted by
SIGINT, once to stop at the next piece of the page, and simply dies of everything else.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from scanners.device import Device, ScanFault, ScanSettings, Spool
from scanners.sane.library import Handle, Library, SaneFault
from scanners.sane.options import Chosen
from scanners.sane.reading import Stack, fault_of

_SERIALS = ("serial-number", "serial", "machine-serial-number")
_FIRMWARES = ("firmware-version", "firmware", "version")


class Child:
    """One conversation with the parent."""

    def __init__(self, answers: TextIO) -> None:
        """Answer to `answers`."""
        self._answers = answers
        self._cancelled = False
        signal.signal(signal.SIGINT, self._interrupted)

    def serve(self, request: dict[str, Any]) -> None:
        """Do what is asked; whatever goes wrong is said as a fault."""
        try:
            library = Library()
        except (OSError, SaneFault) as error:
            text = (
                "SANE ist auf diesem Rechner nicht eingerichtet. Bitte die Pakete sane-utils und "
                "libsane1 installieren lassen."
            )
            self._say("fault", code="device_gone", message=str(error), operator_text=text)
            return
        if request["do"] == "devices":
            found = [asdict(_device(*each)) for each in library.devices()]
            self._say("devices", devices=found, version=library.version)
        else:
            self._scan(library, request)

    def _scan(self, library: Library, request: dict[str, Any]) -> None:
        first = int(request["first"])
        handle: Handle | None = None
        try:
            handle = library.open(request["device"])
            settings = ScanSettings.from_json(request["settings"])
            effective = Chosen(handle, settings).make()
            self._say(
                "opened",
                device=self._opened(handle, request["device"], library.version),
                effective={name: asdict(made) for name, made in effective.items()},
            )
            if not sys.stdin.readline():
                return
            stack = Stack(
                handle=handle,
                settings=settings,
                spool=Spool(Path(request["spool"])),
                first=first,
                cancelled=lambda: self._cancelled,
                progress=lambda page, size: self._say("progress", page=page, bytes=size),
            )
            for page in stack.pages():
                self._say("page", page=page.to_json())
            self._say("end")
        except SaneFault as error:
            self._fault(fault_of(error, first - 1))
        except ScanFault as error:
            self._fault(error)
        finally:
            if handle is not None:
                handle.cancel()
                handle.close()
            library.close()

    def _opened(self, handle: Handle, name: str, version: str) -> dict[str, Any]:
        def read(names: tuple[str, ...]) -> str | None:
            known = handle.options()
            for each in names:
                if each in known and known[each].readable:
                    try:
                        return str(handle.value(each)) or None
                    except SaneFault:
                        continue
            return None

        return {
            "id": name,
            "serial": read(_SERIALS),
            "firmware": read(_FIRMWARES) or f"SANE {version}",
        }

    def _fault(self, error: ScanFault) -> None:
        self._say(
            "fault",
            code=error.code,
            message=str(error),
            operator_text=error.operator_text,
            pages_done=error.pages_done,
        )

    def _say(self, event: str, **said: Any) -> None:
        self._answers.write(json.dumps({"event": event, **said}) + "\n")
        self._answers.flush()

    def _interrupted(self, number: int, frame: object) -> None:
        del number, frame
        if self._cancelled:
            os._exit(2)  # asked twice: the backend hangs, and nothing is half written
        self._cancelled = True


def _device(name: str, vendor: str, model: str, kind: str) -> Device:
    return Device(id=name, driver="sane", vendor=vendor, model=model, kind=kind)


def main() -> None:
    """Read one request and serve it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if line := sys.stdin.readline():
        Child(answers).serve(json.loads(line))


if __name__ == "__main__":
    main()
