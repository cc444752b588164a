"""The process that holds the SANE backend: `python -m scanners.sane.child`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scanners.device import Device, DeviceGone, Effective, ScannedPage, ScanSettings, Spool
from scanners.device.telling import Telling, converse
from scanners.sane.library import Handle, Library, SaneFault
from scanners.sane.options import Chosen
from scanners.sane.reading import Stack, fault_of

_SERIALS: Final = ("serial-number", "serial", "machine-serial-number")
_FIRMWARES: Final = ("firmware-version", "firmware", "version")


@dataclass(frozen=True)
class _Opened:
    told: Mapping[str, Any]
    effective: Mapping[str, Effective]
    stack: Stack

    def pages(self) -> Iterator[ScannedPage]:
        return self.stack.pages()


def serve(request: dict[str, Any], telling: Telling) -> None:
    """List devices or scan, as the request says."""
    if request["do"] == "scan":
        telling.scan(request, opening)
        return
    try:
        library = _library()
        found = [asdict(_device(*each)) for each in library.devices()]
    except (DeviceGone, SaneFault) as error:
        telling.fault(error if isinstance(error, DeviceGone) else fault_of(error, 0))
        return
    telling.say("devices", devices=found, version=library.version)


@contextmanager
def opening(request: dict[str, Any], telling: Telling) -> Iterator[_Opened]:
    """Open a device and make its settings; give it back at the end, whatever happens.

    Raises:
        ScanFault: As the driver's port says.
    """
    library, first = _library(), int(request["first"])
    handle: Handle | None = None
    try:
        handle = library.open(request["device"])
        settings = ScanSettings.from_json(request["settings"])
        effective = Chosen(handle, settings).make()
        stack = Stack(
            handle=handle,
            settings=settings,
            spool=Spool(Path(request["spool"])),
            first=first,
            cancelled=telling.cancelled,
            progress=telling.progress,
        )
        yield _Opened(_told(handle, request["device"], library.version), effective, stack)
    except SaneFault as error:
        raise fault_of(error, first - 1) from error
    finally:
        if handle is not None:
            handle.cancel()
            handle.close()
        library.close()


def _library() -> Library:
    try:
        return Library()
    except (OSError, SaneFault) as error:
        text = (
            "SANE ist auf diesem Rechner nicht eingerichtet. Bitte die Pakete sane-utils und "
            "libsane1 installieren lassen."
        )
        raise DeviceGone(str(error), operator_text=text) from error


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
