"""One question over HTTP, with everything bounded: time, size, schemes, no redirects.

Timestamp authorities and revocation services are asked at addresses that stand in
certificates and settings, and what answers there may be anything.
"""

from __future__ import annotations

import functools
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit


class NotAnswered(Exception):
    """Nothing usable came back; the message says why."""


class Refused(NotAnswered):
    """Another status than 200 came back.

    Attributes:
        status: The HTTP status.
        content: What came with it, as far as it was bounded; nothing vouches for it.
    """

    def __init__(self, status: int, content: bytes) -> None:
        """Name the status in the message, never the content."""
        super().__init__(f"HTTP {status}")
        self.status = status
        self.content = content


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What an answer may cost.

    Attributes:
        seconds: For the whole exchange.
        most: Bytes of the answer.
    """

    seconds: float
    most: int


def ask(url: str, body: bytes | None, headers: Mapping[str, str], bounds: Bounds) -> bytes:
    """Return the answer to a POST of `body`, or to a GET where there is none.

    Raises:
        Refused: Another status than 200; redirects are not followed.
        NotAnswered: Too long, too slow, no connection, no http address.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise NotAnswered(f"{url!r} is no address with http or https")
    request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - scheme checked
    deadline = time.monotonic() + bounds.seconds
    try:
        with _opener().open(request, timeout=bounds.seconds) as answer:
            return _content(answer, bounds, deadline)
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(error.code, _content_of(error, bounds, deadline)) from error
    except HTTPException as error:
        # Its text is the answer's, which may repeat what was sent: secrets too.
        raise NotAnswered(type(error).__name__) from None
    except (OSError, ValueError) as error:
        raise NotAnswered(f"{type(error).__name__}: {error}") from error


def _content(answer: Any, bounds: Bounds, deadline: float) -> bytes:
    content = b""
    while block := answer.read1(bounds.most):
        content += block
        if len(content) > bounds.most or time.monotonic() > deadline:
            raise NotAnswered("answer too long or too slow")
    return content


def _content_of(error: urllib.error.HTTPError, bounds: Bounds, deadline: float) -> bytes:
    """Return what came with a refusal; the refusal counts without it."""
    try:
        return _content(error.fp, bounds, deadline)
    except (NotAnswered, HTTPException, OSError, ValueError):
        return b""


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    # Kept, because a TLS context costs as much as a seal. Without the handlers for files, FTP
    # and redirects, which the default opener has.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
