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
from urllib.parse import urlsplit


class NotAnswered(Exception):
    """Nothing usable came back; the message says why."""


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
        NotAnswered: Another status than 200, too long, too slow, no connection, no http address.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise NotAnswered(f"{url!r} is no address with http or https")
    request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 - scheme checked
    deadline = time.monotonic() + bounds.seconds
    try:
        with _opener().open(request, timeout=bounds.seconds) as answer:
            content = b""
            while block := answer.read1(bounds.most):
                content += block
                if len(content) > bounds.most or time.monotonic() > deadline:
                    raise NotAnswered("answer too long or too slow")
    except urllib.error.HTTPError as error:
        error.close()
        raise NotAnswered(f"HTTP {error.code}") from error
    except (HTTPException, OSError, ValueError) as error:
        raise NotAnswered(f"{type(error).__name__}: {error}") from error
    return content


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
