"""eSCL devices: those of a list of addresses, and those that announce themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from scanners.device import Device, DeviceGone, ScanFault, ScanSettings, Spool
from scanners.device.asking import answers
from scanners.escl.announcements import announced
from scanners.escl.capabilities import Capabilities, capabilities
from scanners.escl.connection import Connection
from scanners.escl.job import request
from scanners.escl.looking import Looking
from scanners.escl.session import EsclSession, Look, Prepared


@dataclass(frozen=True, kw_only=True)
class EsclDriver:
    """Network scanners by their address.

    Offices are routed, and discovery by multicast ends at the router: the list comes first.

    Attributes:
        addresses: Base URLs, such as `http://192.0.2.7/eSCL`.
        fingerprints: SHA-256 of a device's certificate by address, for HTTPS.
        looking: Makes who looks at the pages of one session; by itself in a child process.
    """

    name: ClassVar[str] = "escl"
    addresses: tuple[str, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    looking: Callable[[], Look] = Looking

    def devices(self, seconds: float) -> list[Device]:
        """Return the devices of the list that answer within so many seconds."""
        return self._answering(self.addresses, seconds)

    def discovered(self, seconds: float, interfaces: Iterable[str] | None = None) -> list[Device]:
        """Return the devices that announce themselves and answer within so many seconds.

        Anybody in the network may announce one, and what is not in this network segment is not
        heard.

        Args:
            seconds: Half of them to hear, half to ask.
            interfaces: Addresses of this computer to listen on; None: on all.

        Raises:
            ScanFault: Nobody can listen here; the text says why.
        """
        return self._answering(tuple(announced(seconds / 2, interfaces)), seconds / 2)

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> EsclSession:
        """Ask a device what it can and prepare the request; no sheet has moved.

        Raises:
            SettingRefused: It cannot do what is demanded.
            ScanFault: It does not answer, or refuses this computer.
        """
        connection = self._connection(device_id, settings.timeout)
        able = _able(connection)
        body, effective, media_type = request(able, settings)
        prepared = Prepared(
            device=_device(device_id, able),
            settings=settings,
            request=body,
            effective=effective,
            media_type=media_type,
        )
        return EsclSession(connection, prepared, spool, self.looking(), first=first)

    def _answering(self, addresses: tuple[str, ...], seconds: float) -> list[Device]:
        questions = {
            address: lambda address=address: _device(
                address, _able(self._connection(address, seconds))
            )
            for address in addresses
        }
        asked = answers(questions, seconds)
        return [each for each in asked.values() if not isinstance(each, ScanFault)]

    def _connection(self, address: str, seconds: float) -> Connection:
        return Connection(address, seconds, self.fingerprints.get(address))


def _able(connection: Connection) -> Capabilities:
    answer = connection.ask("GET", connection.path("ScannerCapabilities"))
    if answer.status != 200:  # noqa: PLR2004 - HTTP
        message = f"ScannerCapabilities: HTTP {answer.status}"
        raise DeviceGone(message)
    return capabilities(answer.body)


def _device(address: str, able: Capabilities) -> Device:
    return Device(
        id=address,
        driver=EsclDriver.name,
        vendor=able.vendor,
        model=able.model,
        kind="eSCL",
        serial=able.serial,
        firmware=able.firmware,
    )
