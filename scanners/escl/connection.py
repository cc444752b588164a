"""Requests to one eSCL device, each bounded in time and size.

A device may leave a connection half open for ever or send without end, so every read has its own
limit, and a whole answer that is no page another. What it says about other places is not
followed. Certificates of devices are self-made as a rule: they are pinned by their digest where
the list of devices says one, and otherwise held against the system's authorities like any other.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from scanners.device import AccessDenied, DeviceGone, DeviceStalled, ScanFault

_PIECE: Final = 1 << 16
_OK: Final = 200
_DENIED: Final = frozenset({401, 403})
_LARGEST_STATE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a device answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One device at its base URL, such as `http://192.0.2.7/eSCL`."""

    def __init__(self, url: str, seconds: float, fingerprint: str | None = None) -> None:
        """Take the base URL, the limit of each read and, for HTTPS, a pinned certificate.

        Raises:
            DeviceGone: It is no http or https URL.
        """
        text = f"»{url}« ist keine Adresse eines Scanners. Bitte die Liste der Geräte prüfen."
        message = f"no eSCL address: {url}"
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError as error:
            raise DeviceGone(message, operator_text=text) from error
        if parts.scheme not in ("http", "https") or not self._host:
            raise DeviceGone(message, operator_text=text)
        self._secure = parts.scheme == "https"
        self._seconds, self._fingerprint = seconds, fingerprint
        self._context: ssl.SSLContext | None = None
        if self._secure:  # the pinned digest takes the place of the authorities, see below
            self._context = _trusting() if fingerprint else ssl.create_default_context()
        self._base = parts.path.rstrip("/") or "/eSCL"
        self._page: socket.socket | None = None

    def path(self, name: str) -> str:
        """Return the path of a resource below the base."""
        return f"{self._base}/{name}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, seconds: float | None = None
    ) -> Answer:
        """Send a request and return the whole answer, which may be no page.

        Args:
            method: Of HTTP.
            path: On the device.
            body: XML.
            seconds: For all of it, in place of the limit of each read.

        Raises:
            DeviceGone: The device does not answer, or not HTTP.
            DeviceStalled: It does not come to an end.
            AccessDenied: It refuses this computer, or its certificate is not trusted.
        """
        limit = self._seconds if seconds is None else seconds
        with self._link(limit) as link, _ending(link.sock, limit) as is_late:
            try:
                with _sent(link, method, path, body) as response:
                    read = response.read(_LARGEST_STATE)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _failed(error, late=is_late.is_set()) from error
            if is_late.is_set():  # what was cut off looks like an end
                message = f"no end of the answer within {limit:g} s"
                raise DeviceStalled(message)
            return Answer(status=response.status, headers=_headers(response), body=read)

    @contextmanager
    def page(self, path: str) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Ask for a page; lend the head of the answer and an iterator over its bytes.

        The connection ends with the block. Reading stops early where the device does; whether
        that was the end is told by the header `Content-Length`. An answer that is no page has
        no bytes.

        Raises:
            DeviceGone: The device does not answer, at once or while the bytes come.
            DeviceStalled: Nothing comes any more.
            AccessDenied: As `ask`.
        """
        with self._link(self._seconds) as link:
            self._page = link.sock
            try:
                with _ending(link.sock, self._seconds) as is_late:
                    try:
                        response = _sent(link, "GET", path, None)
                    except (OSError, http.client.HTTPException, ValueError) as error:
                        raise _failed(error, late=is_late.is_set()) from error
                with response:
                    answer = Answer(status=response.status, headers=_headers(response), body=b"")
                    yield answer, _pieces(response) if response.status == _OK else iter(())
            finally:
                self._page = None

    def abort(self) -> None:
        """End the transfer of a page that is under way; from any thread."""
        found = self._page
        if found is not None:
            _cut(found)

    @contextmanager
    def _link(self, seconds: float) -> Iterator[http.client.HTTPConnection]:
        """Lend a connection that stands, to a device that is who it shall be."""
        link: http.client.HTTPConnection
        if self._secure:
            link = http.client.HTTPSConnection(
                self._host, self._port, timeout=seconds, context=self._context
            )
        else:
            link = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        try:
            self._connect(link, seconds)
            yield link
        finally:
            link.close()

    def _connect(self, link: http.client.HTTPConnection, seconds: float) -> None:
        try:
            link.connect()
        except ssl.SSLCertVerificationError as error:
            raise self._unknown(error, seconds) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _gone(error) from error
        if self._secure and self._fingerprint is not None:
            self._require_pinned(link)

    def _require_pinned(self, link: http.client.HTTPConnection) -> None:
        shown = _shown(link.sock)
        if shown != self._fingerprint:
            text = (
                "Das Gerät zeigt ein anderes Zertifikat als hinterlegt. Bitte prüfen lassen, ob "
                "es ausgetauscht wurde, und dann den Fingerabdruck neu eintragen. Gezeigt wird "
                f"{shown}."
            )
            message = "the device's certificate is not the pinned one"
            raise AccessDenied(message, operator_text=text)

    def _unknown(self, error: Exception, seconds: float) -> AccessDenied:
        text = (
            "Das Zertifikat des Geräts ist von keiner bekannten Stelle. Bitte am Gerät nachsehen "
            "und als fingerprint in die Liste der Geräte eintragen"
        )
        context = _trusting()  # nothing is sent; the certificate is only looked at
        with contextlib.suppress(OSError):
            plain = socket.create_connection((self._host, self._port or 443), seconds)
            with plain, context.wrap_socket(plain, server_hostname=self._host) as secure:
                text += f"; gezeigt wird {_shown(secure)}"
        return AccessDenied(str(error), operator_text=f"{text}.")


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _sent(
    link: http.client.HTTPConnection, method: str, path: str, body: bytes | None
) -> http.client.HTTPResponse:
    headers = {"Content-Type": "text/xml"} if body is not None else {}
    link.request(method, path, body=body, headers=headers)
    response = link.getresponse()
    if response.status in _DENIED:
        response.close()
        message = f"{method} {path}: {response.status}"
        raise AccessDenied(message)
    return response


@contextmanager
def _ending(connected: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Cut the connection off when the block takes longer; lend whether that happened.

    The socket is taken before the request: a connection that ends with its answer forgets it.
    """
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        _cut(connected)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_late
    finally:
        timer.cancel()


def _cut(connected: socket.socket) -> None:
    """Wake whoever reads from or writes to the connection."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # TLS would forget its state


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while piece := response.read(_PIECE):
            yield piece
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(error) from error


def _shown(connected: object) -> str:
    der = connected.getpeercert(binary_form=True) if isinstance(connected, ssl.SSLSocket) else None
    return hashlib.sha256(der or b"").hexdigest()


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _failed(error: Exception, *, late: bool = False) -> ScanFault:
    """Return what became of a device that had answered the call."""
    if late or isinstance(error, TimeoutError):
        return DeviceStalled(f"eSCL device: {type(error).__name__}: {error}")
    return _gone(error)


def _gone(error: Exception) -> DeviceGone:
    return DeviceGone(f"eSCL device: {type(error).__name__}: {error}")
