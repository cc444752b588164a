"""Requests to one eSCL device, each bounded in time.

A device may leave a connection half open for ever, so every read has its own limit. Certificates
of devices are self-made as a rule: they are pinned by their digest where the list of devices
says one, and otherwise held against the system's authorities like any other.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from scanners.device import AccessDenied, DeviceGone

_PIECE: Final = 1 << 16
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
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = f"no eSCL address: {url}"
            raise DeviceGone(message)
        self._parts, self._seconds, self._fingerprint = parts, seconds, fingerprint
        self._base = parts.path.rstrip("/") or "/eSCL"

    def path(self, name: str) -> str:
        """Return the path of a resource below the base."""
        return f"{self._base}/{name}"

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send a request and return the whole answer, which may be no page.

        Raises:
            DeviceGone: The device does not answer, or not HTTP.
            AccessDenied: It refuses this computer.
        """
        link = self._link()
        try:
            response = self._sent(link, method, path, body)
            read = response.read(_LARGEST_STATE)
            return Answer(status=response.status, headers=_headers(response), body=read)
        except (OSError, http.client.HTTPException) as error:
            raise _gone(error) from error
        finally:
            link.close()

    def fetch(self, path: str) -> tuple[Answer, Iterator[bytes]]:
        """Ask for a page; return the head of the answer and an iterator over its bytes.

        The connection ends with the iterator. Reading stops early where the device does; whether
        that was the end is told by `whole`, in the headers' `Content-Length`.

        Raises:
            DeviceGone: The device does not answer, at once or while the bytes come.
            AccessDenied: It refuses this computer.
        """
        link = self._link()
        try:
            response = self._sent(link, "GET", path, None)
        except (OSError, http.client.HTTPException) as error:
            link.close()
            raise _gone(error) from error
        except AccessDenied:
            link.close()
            raise
        answer = Answer(status=response.status, headers=_headers(response), body=b"")
        return answer, _pieces(link, response)

    def _sent(
        self, link: http.client.HTTPConnection, method: str, path: str, body: bytes | None
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "text/xml"} if body is not None else {}
        link.request(method, path, body=body, headers=headers)
        response = link.getresponse()
        if response.status in _DENIED:
            message = f"{method} {path}: {response.status}"
            raise AccessDenied(message)
        return response

    def _link(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._seconds)
        context = ssl.create_default_context()
        if self._fingerprint is not None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # the pinned digest takes its place, see below
        link = http.client.HTTPSConnection(host, port, timeout=self._seconds, context=context)
        if self._fingerprint is not None:
            self._require_pinned(link)
        return link

    def _require_pinned(self, link: http.client.HTTPSConnection) -> None:
        try:
            link.connect()
        except (OSError, http.client.HTTPException) as error:
            raise _gone(error) from error
        shown = link.sock.getpeercert(binary_form=True) if link.sock is not None else None
        if hashlib.sha256(shown or b"").hexdigest() != self._fingerprint:
            link.close()
            text = (
                "Das Gerät zeigt ein anderes Zertifikat als hinterlegt. Bitte prüfen lassen, ob "
                "es ausgetauscht wurde, und den Fingerabdruck neu eintragen."
            )
            message = "the device's certificate is not the pinned one"
            raise AccessDenied(message, operator_text=text)


def _pieces(
    link: http.client.HTTPConnection, response: http.client.HTTPResponse
) -> Iterator[bytes]:
    try:
        while piece := response.read(_PIECE):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise _gone(error) from error
    finally:
        link.close()


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _gone(error: Exception) -> DeviceGone:
    return DeviceGone(f"eSCL device: {type(error).__name__}: {error}")
