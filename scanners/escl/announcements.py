"""Devices that announce themselves in this network segment (DNS-SD: `_uscan._tcp`, `_uscans._tcp`).

Announcements are not authenticated. They help to find an address for the list of devices, where
it stands with the certificate's fingerprint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any, Final, Self

from scanners.device import ScanFault

_PLAIN: Final = "_uscan._tcp.local."
_SECURE: Final = "_uscans._tcp.local."
_SCHEMES: Final = {_PLAIN: "http", _SECURE: "https"}
#: Everybody who is there answers within this time as a rule; waiting longer finds sleepers.
_QUIET_SECONDS: Final = 1.0


class Announcements:
    """What is announced now, by the name it is announced under; used as a context."""

    def __init__(self, interfaces: Iterable[str] | None = None) -> None:
        """Listen on these addresses of this computer; None: on all.

        Raises:
            ScanFault: The library for it is not installed, or the network lets nobody listen.
        """
        try:
            from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf
        except ImportError as error:
            text = "Die Suche nach Scannern ist nicht eingerichtet (Python-Paket zeroconf fehlt)."
            raise ScanFault(str(error), operator_text=text) from error
        self._found: dict[str, tuple[str, str]] = {}
        self._changed = threading.Condition()
        chosen: Any = InterfaceChoice.All if interfaces is None else list(interfaces)
        try:
            self._zeroconf = Zeroconf(interfaces=chosen)
        except OSError as error:
            text = "In diesem Netz ist die Suche nach Scannern nicht möglich."
            raise ScanFault(str(error), operator_text=text) from error
        listener: Any = self  # its class cannot be named before the library is known to be there
        self._browser = ServiceBrowser(self._zeroconf, list(_SCHEMES), listener=listener)

    def add_service(self, zeroconf: Any, kind: str, name: str) -> None:
        """Take a device that came; called by the library from a thread of its own."""
        said = zeroconf.get_service_info(kind, name, timeout=1000)
        url = None if said is None else _url(kind, said)
        if said is not None and url is not None:
            uuid = _text(said.properties, b"UUID") or url
            with self._changed:
                self._found[name] = (uuid.lower(), url)
                self._changed.notify_all()

    update_service = add_service

    def remove_service(self, zeroconf: Any, kind: str, name: str) -> None:
        """Forget a device that went; called by the library."""
        del zeroconf, kind
        with self._changed:
            self._found.pop(name, None)
            self._changed.notify_all()

    def urls(self) -> list[str]:
        """Return the base address of each device; of one with two, the one without TLS.

        Nobody knows the certificate of a device that was only announced.
        """
        with self._changed:
            best: dict[str, str] = {}
            for uuid, url in sorted(self._found.values()):  # http: before https:
                best.setdefault(uuid, url)
            return sorted(best.values())

    def wait(self, count: int, seconds: float) -> bool:
        """Wait until there are `count` addresses, for so many seconds at most."""
        with self._changed:
            return self._changed.wait_for(lambda: len(set(self._found.values())) == count, seconds)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop listening."""
        self._zeroconf.close()


def announced(seconds: float, interfaces: Iterable[str] | None = None) -> list[str]:
    """Return the base addresses of the devices that announce themselves within so many seconds.

    Raises:
        ScanFault: As `Announcements`.
    """
    with Announcements(interfaces) as listening:
        time.sleep(min(seconds, _QUIET_SECONDS))
        return listening.urls()


def _url(kind: str, said: Any) -> str | None:
    addresses = said.parsed_scoped_addresses()
    if not addresses or not said.port:
        return None
    host = next((each for each in addresses if ":" not in each), f"[{addresses[0]}]")
    path = (_text(said.properties, b"rs") or "eSCL").strip("/")
    return f"{_SCHEMES[kind]}://{host}:{said.port}/{path}"


def _text(properties: dict[bytes, bytes | None], name: bytes) -> str:
    return (properties.get(name) or b"").decode("utf-8", "replace").strip()
