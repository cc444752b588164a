"""The process that holds the TWAIN source: `python -m scanners.twain.child`.

It runs in the Python whose width is that of the driver: a 32-bit source is invisible to a 64-bit
manager.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scanners.device import Device, DeviceGone, Effective, ScannedPage, ScanSettings, Spool
from scanners.device.telling import Telling, converse
from scanners.twain import abi
from scanners.twain.dsm import Manager, TwainFault, load
from scanners.twain.reading import Stack, fault_of
from scanners.twain.source import Source
from scanners.twain.windows import window


@dataclass(frozen=True)
class _Opened:
    told: Mapping[str, Any]
    effective: Mapping[str, Effective]
    stack: Stack

    def pages(self) -> Iterator[ScannedPage]:
        return self.stack.pages()


def serve(request: dict[str, Any], telling: Telling) -> None:
    """List sources or scan, as the request says."""
    if request["do"] == "scan":
        telling.scan(request, lambda asked, told: opening(asked, told, _entry(asked)))
        return
    try:
        found = [asdict(device(each)) for each in _sources(_entry(request))]
    except (DeviceGone, TwainFault) as error:
        telling.fault(error if isinstance(error, DeviceGone) else fault_of(error, 0))
        return
    telling.say("devices", devices=found)


@contextmanager
def opening(request: dict[str, Any], telling: Telling, entry: Any) -> Iterator[_Opened]:
    """Open a source through the manager's `entry` and make its settings.

    Raises:
        ScanFault: As the driver's port says.
    """
    first = int(request["first"])
    manager: Manager | None = None
    source: Source | None = None
    try:
        manager = Manager(entry, window())
        identity = _named(manager, request["device"])
        source = Source(manager, identity)
        settings = ScanSettings.from_json(request["settings"])
        effective = source.make(settings)
        stack = Stack(
            source=source,
            settings=settings,
            spool=Spool(Path(request["spool"])),
            first=first,
            cancelled=telling.cancelled,
            progress=telling.progress,
        )
        told = {**asdict(device(identity)), "serial": source.serial}
        yield _Opened(told, effective, stack)
    except TwainFault as error:
        raise fault_of(error, first - 1) from error
    finally:
        if source is not None:
            source.close()
        if manager is not None:
            manager.close()


def device(identity: abi.Identity) -> Device:
    """Return a source as a device."""
    return Device(
        id=_text(identity.product_name),
        driver="twain",
        vendor=_text(identity.manufacturer),
        model=_text(identity.product_name),
        kind=_text(identity.product_family),
        firmware=f"{identity.version.major}.{identity.version.minor}",
    )


def _sources(entry: Any) -> list[abi.Identity]:
    manager = Manager(entry, window())
    try:
        return list(manager.sources())
    finally:
        manager.close()


def _named(manager: Manager, name: str) -> abi.Identity:
    for identity in manager.sources():
        if _text(identity.product_name) == name:
            return identity
    text = f"Eine TWAIN-Quelle »{name}« ist auf diesem Rechner nicht installiert."
    message = f"no source {name}"
    raise DeviceGone(message, operator_text=text)


def _entry(request: dict[str, Any]) -> Any:
    path = request.get("manager")
    try:
        return load(None if path is None else Path(path))
    except OSError as error:
        text = (
            "Der TWAIN-Manager (TWAINDSM) ist auf diesem Rechner nicht installiert oder hat eine "
            "andere Bitbreite als dieses Programm."
        )
        raise DeviceGone(str(error), operator_text=text) from error


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


if __name__ == "__main__":
    converse(serve)
