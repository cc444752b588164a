"""All ways of driving scanners that there are on this computer, as one.

A device has one name everywhere: its driver, a colon, and by what the driver opens it, such as
`sane:test:0` or `escl:https://192.0.2.7/eSCL`. Network scanners of the list may also be called
by the name they have there: `escl:kopierer-eg`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from scanners.device import Device, DeviceGone, Driver, ScanFault, ScanSettings, Session, Spool
from scanners.device.asking import answers
from scanners.escl import EsclDriver
from scanners.sane import sane_driver
from scanners.twain import TwainDriver

#: So much longer than its devices may take, a driver has until it is passed over.
_GRACE_SECONDS: Final = 2.0
_DISCOVERY: Final = "discovery"


@dataclass(frozen=True, kw_only=True)
class NetworkScanner:
    """An eSCL device of the list.

    Attributes:
        url: Such as `https://192.0.2.7/eSCL`.
        fingerprint: SHA-256 of its certificate, 64 hexadecimal digits; None trusts the system's
            authorities, as for any other address.
    """

    url: str
    fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True)
class SaneUse:
    """How SANE is used.

    Attributes:
        program: `scanimage` scans although the library of SANE can be loaded.
        options: By device of SANE, options that only its backend has; see `SaneDriver`.
    """

    program: bool = False
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What there is to scan with at this moment.

    Attributes:
        devices: Those that answered, by their id `driver:…`.
        silent: Drivers that are not there or do not answer, and addresses of the list that do
            not; with the reason in German.
    """

    devices: Mapping[str, Device]
    silent: Mapping[str, str]


class Drivers:
    """Scanners, whichever way they are driven."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        names: Mapping[str, str] = MappingProxyType({}),
        discovery: Callable[[float], list[Device]] | None = None,
    ) -> None:
        """Take the drivers.

        Args:
            drivers: Each of another name.
            names: Of eSCL devices, with their addresses.
            discovery: Finds devices beyond these, within so many seconds.
        """
        self._drivers = {driver.name: driver for driver in drivers}
        self._names = dict(names)
        self._discovery = discovery

    def listed(self, seconds: float) -> Listing:
        """Return all devices; whoever does not answer within so many seconds does not stop it."""
        asking = {name: partial(each.devices, seconds) for name, each in self._drivers.items()}
        if self._discovery is not None:
            asking[_DISCOVERY] = partial(self._discovery, seconds)
        devices: dict[str, Device] = {}
        silent: dict[str, str] = {}
        seen: set[tuple[str, str]] = set()
        for name, answer in answers(asking, seconds + _GRACE_SECONDS).items():
            if isinstance(answer, ScanFault):
                silent[name] = answer.operator_text
                continue
            for device in answer:
                own = (device.model, device.serial or device.id)
                if name != _DISCOVERY or own not in seen:
                    seen.add(own)
                    devices[f"{device.driver}:{self._called(device)}"] = device
        return Listing(devices=devices, silent=silent | self._unanswered(devices, silent))

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> Session:
        """Open a device by its id, see `scanners.device.Driver.open`.

        Raises:
            ScanFault: As the port says; `DeviceGone` also where there is no such driver.
        """
        name, _, own = device_id.partition(":")
        driver = self._drivers.get(name)
        if driver is None or not own:
            text = (
                f"Ein Gerät »{device_id}« gibt es hier nicht. Bitte die Bezeichnung aus "
                "»scanstrasse list-devices« übernehmen."
            )
            message = f"no device {device_id}"
            raise DeviceGone(message, operator_text=text)
        if name == EsclDriver.name:
            own = self._names.get(own, own)
        return driver.open(own, settings, spool, first=first)

    def _unanswered(
        self, devices: Mapping[str, Device], silent: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the devices of the list that did not answer, unless nobody could be asked."""
        if EsclDriver.name in silent:
            return {}
        ids = [f"{EsclDriver.name}:{name}" for name in self._names]
        return {each: DeviceGone.hint for each in ids if each not in devices}

    def _called(self, device: Device) -> str:
        if device.driver != EsclDriver.name:
            return device.id
        return next((name for name, url in self._names.items() if url == device.id), device.id)


def installed(
    *,
    escl: Mapping[str, NetworkScanner] = MappingProxyType({}),
    discovery: bool = False,
    sane: bool = True,
    sane_config: Path | None = None,
    sane_use: SaneUse = SaneUse(),
    twain: bool = True,
) -> Drivers:
    """Return the drivers that this computer shall use.

    Whether SANE and TWAIN are installed is seen when they are asked: the listing then says so.

    Args:
        escl: Network scanners by the name people use.
        discovery: Whether those that announce themselves are listed too.
        sane: Whether SANE is used.
        sane_config: In place of `/etc/sane.d`.
        sane_use: How.
        twain: Whether TWAIN is used.
    """
    network = EsclDriver(
        addresses=tuple(each.url for each in escl.values()),
        fingerprints={each.url: each.fingerprint for each in escl.values() if each.fingerprint},
    )
    drivers: list[Driver] = [network]
    if sane:
        found = {} if sane_config is None else {"SANE_CONFIG_DIR": str(sane_config)}
        drivers.append(
            sane_driver(environment=found, options=sane_use.options, by_program=sane_use.program)
        )
    if twain:
        drivers.append(TwainDriver())
    names = {name: each.url for name, each in escl.items()}
    return Drivers(drivers, names, network.discovered if discovery else None)
