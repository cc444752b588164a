"""The process that holds the SANE backend: `python -m scanners.sane.child`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scanners.device import (
    Device,
    DeviceGone,
    Effective,
    ScanFault,
    ScannedPage,
    ScanSettings,
    Spool,
)
from scanners.device.telling import Telling, converse
from scanners.sane.abi import SaneFault, Status
from scanners.sane.buttons import Keys
from scanners.sane.library import Handle, Library
from scanners.sane.options import Chosen
from scanners.sane.reading import Stack, fault_of, not_there

_SERIALS: Final = ("serial-number", "serial", "machine-serial-number")
_FIRMWARES: Final = ("firmware-version", "firmware", "version")


@dataclass(frozen=True)
class Opened:
    """A device that is open, its settings made."""

    told: Mapping[str, Any]
    effective: Mapping[str, Effective]
    stack: Stack

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable."""
        return self.stack.pages()


def serve(request: dict[str, Any], telling: Telling) -> None:
    """List devices, scan, or watch the keys of a device, as the request says."""
    if request["do"] == "scan":
        telling.scan(request, opening)
        return
    try:
        if request["do"] == "watch":
            watching(request, telling)
        else:
            library = _library(None)
            found = [asdict(_device(*each)) for each in library.devices()]
            telling.say("devices", devices=found, version=library.version)
    except ScanFault as error:
        telling.fault(error)
    except SaneFault as error:
        telling.fault(fault_of(error, 0))


def watching(request: dict[str, Any], telling: Telling, lib: Any = None) -> None:
    """Say which keys of the device are pressed until somebody asks to stop.

    Raises:
        ScanFault: The device is gone or taken.
        SaneFault: It does not tell any more.
    """
    library = _library(lib)
    handle: Handle | None = None
    try:
        handle = _open(library, request["device"])
        keys = Keys(handle)
        while not telling.cancelled():
            telling.say("looked")
            time.sleep(float(request["seconds"]))
            for name in keys.pressed():
                telling.say("pressed", name=name)
    finally:
        if handle is not None:
            handle.close()
        library.close()


@contextmanager
def opening(request: dict[str, Any], telling: Telling, lib: Any = None) -> Iterator[Opened]:
    """Open a device and make its settings; give it back at the end, whatever happens.

    Args:
        request: Of the session: device, settings, spool, first, and the device's own options.
        telling: Asked whether to stop, and told of progress.
        lib: The C library, None for that of this machine.

    Raises:
        ScanFault: As the driver's port says.
    """
    library, first = _library(lib), int(request["first"])
    handle: Handle | None = None
    try:
        handle = _open(library, request["device"])
        settings = ScanSettings.from_json(request["settings"])
        effective = Chosen(handle, settings, request.get("options", {})).make()
        stack = Stack(
            handle=handle,
            settings=settings,
            spool=Spool(Path(request["spool"])),
            first=first,
            cancelled=telling.cancelled,
            progress=telling.progress,
        )
        yield Opened(_told(handle, request["device"], library.version), effective, stack)
    except SaneFault as error:
        raise fault_of(error, first - 1) from error
    finally:
        if handle is not None:
            handle.cancel()
            handle.close()
        library.close()


def _library(lib: Any) -> Library:
    try:
        return Library(lib)
    except (OSError, SaneFault) as error:
        text = (
            "SANE ist auf diesem Rechner nicht eingerichtet. Bitte die Pakete sane-utils und "
            "libsane1 installieren lassen."
        )
        raise DeviceGone(str(error), operator_text=text) from error


def _open(library: Library, name: str) -> Handle:
    try:
        return library.open(name)
    except SaneFault as error:
        if error.status is not Status.INVALID:
            raise
        raise not_there(error, name) from error


def _told(handle: Handle, name: str, version: str) -> dict[str, Any]:
    def read(names: tuple[str, ...]) -> str | None:
        known = handle.options()
        for each in names:
            if each in known and known[each].readable:
                try:
                    return str(handle.value(each)) or None
                except SaneFault:
                    continue
        return None

    firmware = read(_FIRMWARES) or f"SANE {version}"
    return {"id": name, "serial": read(_SERIALS), "firmware": firmware}


def _device(name: str, vendor: str, model: str, kind: str) -> Device:
    return Device(id=name, driver="sane", vendor=vendor, model=model, kind=kind)


if __name__ == "__main__":
    converse(serve)
