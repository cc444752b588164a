"""The house from afar: the port `Acceptance` over HTTP, as `scanners.stack.wire` spells it.

Every read and write has a limit, so a half-open connection ends. Nothing is repeated here: who
calls may repeat everything, and does. No proxy is taken from the environment.
"""

from __future__ import annotations

import datetime as dt
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from ingest import clock
from scanners.device import Device
from scanners.stack import (
    AcceptanceFault,
    Closing,
    Lease,
    OfferedProfile,
    Opening,
    Refused,
    StackPage,
    StackState,
    Unavailable,
    wire,
)

#: Each write of a body is this large and has to leave within the limit.
_BLOCK: Final = 1 << 16
#: The state of 50,000 pages.
_LARGEST_ANSWER: Final = 8 * 1024**2
_CREATED: Final = 201
_FAULTS: Final = 400
T = TypeVar("T")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long is waited, in seconds.

    Attributes:
        connect: For the connection, and for each block of a page to leave.
        read: For the answer: the server syncs a page and commits it before.
    """

    connect: float = 15.0
    read: float = 120.0


class _PageFile:
    """A file whose own failure is told from that of the way it is sent."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.failed: OSError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            while block := self._source.read(_BLOCK):
                yield block
        except OSError as error:
            self.failed = error
            raise


class HttpHouse:
    """A house at a URL. Any number of threads may use it at once."""

    def __init__(  # noqa: PLR0913 - an address with its trust, each named at the call
        self,
        url: str,
        token: str,
        *,
        ca: Path | None = None,
        fingerprint: str | None = None,
        patience: Patience | None = None,
        proxy: str | None = None,
        now: Callable[[], dt.datetime] = clock.now,
    ) -> None:
        """Take where the house is and what makes sure of both ends; nothing is sent yet.

        Args:
            url: `https://host:port`, with the path that the house is mounted at. `http` only on
                this machine: a token is not sent in the clear.
            token: Of this station.
            ca: PEM file with the authority of the server's certificate; default: the system's.
            fingerprint: SHA-256 of the server's certificate in hexadecimal digits, which then
                needs no authority and no name.
            patience: Limits.
            proxy: URL of a proxy; none is used otherwise.
            now: This station's clock.

        Raises:
            Refused: `address_refused`.
        """
        _require_safe(url)
        waits = patience or Patience()
        settings: dict[str, Any] = {
            "retries": False,
            "timeout": urllib3.Timeout(connect=waits.connect, read=waits.read),
            "blocksize": _BLOCK,
            "maxsize": 4,
        }
        if fingerprint is not None:
            settings |= {"assert_fingerprint": fingerprint, "cert_reqs": ssl.CERT_NONE}
        elif ca is not None:
            settings["ca_certs"] = str(ca)
        self._pool = (
            urllib3.PoolManager(**settings)
            if proxy is None
            else urllib3.ProxyManager(proxy, **settings)
        )
        self._root, self._token, self._now = url.rstrip("/") + wire.ROOT, token, now

    def profiles(self) -> list[OfferedProfile]:
        """Return the profiles that may be scanned under, by name."""
        return _read(
            lambda said: [OfferedProfile.from_json(each) for each in said["profiles"]],
            self._ask("GET", "/profiles")[1],
        )

    def admit(self, device: Device, profile: str, operator: str | None) -> None:
        """Ask whether somebody may use a device for a profile; see the port."""
        wish = {"device": asdict(device), "profile": profile, "operator": operator}
        self._ask("POST", "/devices", wish)

    def open(self, opening: Opening) -> StackState:
        """Make the stack known, or return what there is of it; see the port."""
        said = self._ask("PUT", f"/stacks/{quote(opening.key, safe='')}", opening.to_json())[1]
        return _read(wire.state_from_json, said)

    def state(self, key: str) -> StackState:
        """Return what the house has of a stack; see the port."""
        return _read(wire.state_from_json, self._ask("GET", f"/stacks/{quote(key, safe='')}")[1])

    def append(self, key: str, page: StackPage) -> bool:
        """Send a page, straight from its file; see the port.

        Raises:
            Refused: As the port says; also where the file has another length than the page.
            OSError: The file is gone or out of reach; nothing was sent.
        """
        number = page.page.facts.number
        path = f"/stacks/{quote(key, safe='')}/pages/{number}?attempt={page.attempt}"
        head = {
            "Content-Type": page.page.media_type,
            "Content-Length": str(page.page.size),
            wire.DIGEST: wire.digest_to_header(page.page.sha256),
            wire.SIZE: str(page.page.size),
            wire.PAGE: wire.page_to_header(page),
        }
        with page.page.path.open("rb") as opened:
            size = opened.seek(0, 2)
            if size != page.page.size:
                raise _disagrees(number, f"page {number} has {size} bytes")
            opened.seek(0)
            source = _PageFile(opened)
            try:
                return self._send("PUT", path, source, head)[0] == _CREATED
            except Unavailable:
                if source.failed is not None:
                    raise source.failed from None
                raise

    def close(self, key: str, closing: Closing) -> StackState:
        """End the stack; see the port."""
        path = f"/stacks/{quote(key, safe='')}/closing"
        return _read(wire.state_from_json, self._ask("POST", path, closing.to_json())[1])

    def lease(self, device: Device, operator: str | None, seconds: float) -> Lease:
        """Take the right to use a device; see the port."""
        wish = {"device": asdict(device), "operator": operator, "seconds": seconds}
        return _read(lambda said: Lease(**said), self._ask("POST", "/leases", wish)[1])

    def renew(self, lease: Lease) -> None:
        """Keep the right; see the port."""
        self._ask("POST", "/leases/renewal", asdict(lease))

    def give_back(self, lease: Lease) -> None:
        """End the right; see the port."""
        self._ask("POST", "/leases/end", asdict(lease))

    def clock_offset(self) -> dt.timedelta:
        """Return this station's clock minus the house's, to about the time of one request.

        Raises:
            Unavailable, Refused: As every call.
        """
        began = self._now()
        said = self._ask("GET", "/clock")[1]
        theirs = _read(lambda answer: dt.datetime.fromisoformat(answer["now"]), said)
        return began + (self._now() - began) / 2 - theirs

    def _ask(
        self, method: str, path: str, said: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        if said is None:
            return self._send(method, path, None, {})
        body = json.dumps(said, ensure_ascii=False).encode()
        return self._send(method, path, body, {"Content-Type": "application/json"})

    def _send(
        self, method: str, path: str, body: bytes | _PageFile | None, head: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Return status and answer.

        Raises:
            Unavailable: Nobody answers, or not as a house does.
            Refused: The house, or the check of its certificate.
        """
        head = head | {
            "Authorization": f"Bearer {self._token}",
            "User-Agent": "scanstrasse-station",
            wire.CLOCK: self._now().isoformat(),
        }
        try:
            response = self._pool.request(
                method,
                self._root + path,
                body=body,
                headers=head,
                preload_content=False,
                redirect=False,
            )
            read = response.read(_LARGEST_ANSWER + 1)
            if len(read) > _LARGEST_ANSWER:
                response.close()
                raise _foreign(response.status)
            response.release_conn()
        except (SSLError, HTTPError, OSError) as error:
            raise _unreachable(error) from error
        return response.status, _said(response.status, response.headers.get("Retry-After"), read)


def _said(status: int, retry_after: str | None, read: bytes) -> dict[str, Any]:
    """Return what the house answered.

    Raises:
        AcceptanceFault: It named one, or somebody else answered.
    """
    try:
        said = json.loads(read or b"{}")
        fault = wire.fault_from_json(status, said) if status >= _FAULTS else None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _foreign(status) from error
    if fault is None and (not isinstance(said, dict) or not 200 <= status < 300):  # noqa: PLR2004 - HTTP
        raise _foreign(status)
    if fault is not None:
        if isinstance(fault, Unavailable) and (retry_after or "").isdecimal():
            fault.retry_after = float(retry_after or 0)
        raise fault
    found: dict[str, Any] = said
    return found


def _read(read: Callable[[dict[str, Any]], T], said: dict[str, Any]) -> T:
    try:
        return read(said)
    except (ValueError, TypeError, KeyError) as error:
        text = (
            "Der Server antwortet mit Angaben, die dieser Arbeitsplatz nicht versteht. Bitte "
            "Arbeitsplatz und Server auf denselben Programmstand bringen lassen."
        )
        message = f"an answer that does not read: {error!r}"
        raise Refused(message, operator_text=text, code="malformed") from error


def _require_safe(url: str) -> None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        parts = urlsplit("")
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname or parts.username or parts.query or parts.fragment:
        text = (
            "Die Adresse des Servers ist nicht brauchbar. Bitte als https://rechner:port "
            "angeben; unverschlüsselt (http) nur für diesen Rechner selbst (127.0.0.1)."
        )
        message = "no address of a house"
        raise Refused(message, operator_text=text, code="address_refused")


def _unreachable(error: Exception) -> AcceptanceFault:
    reason = error.args[0] if error.args else None
    doubted = isinstance(reason, ssl.SSLCertVerificationError) or "ingerprint" in str(error)
    if isinstance(error, SSLError) and doubted:
        text = (
            "Das Zertifikat des Servers ist nicht das hinterlegte oder keinem Aussteller "
            "zuzuordnen; es wurde nichts gesendet. Bitte prüfen lassen, ob der Server ein neues "
            "Zertifikat hat, und Fingerabdruck oder CA-Datei neu eintragen."
        )
        return Refused(f"certificate: {error}", operator_text=text, code="certificate_refused")
    text = (
        "Der Server ist nicht erreichbar. Die Seiten bleiben auf diesem Rechner gesichert und "
        "gehen von selbst weiter, sobald er antwortet."
    )
    return Unavailable(f"{type(error).__name__}: {error}", operator_text=text)


def _foreign(status: int) -> Unavailable:
    text = (
        f"Unter der Adresse des Servers antwortet etwas anderes (HTTP {status}). Die Seiten "
        "bleiben auf diesem Rechner gesichert. Bitte Adresse und Proxy prüfen lassen, wenn das "
        "so bleibt."
    )
    return Unavailable(f"not a house: HTTP {status}", operator_text=text)


def _disagrees(number: int, message: str) -> Refused:
    text = (
        f"Die Datei von Seite {number} ist auf diesem Rechner verändert worden; gesendet wurde "
        "nichts davon. Bitte das Blatt neu scannen."
    )
    return Refused(message, operator_text=text, code="page_disagrees")
