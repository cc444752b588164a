"""The body of a request, read within bounds.

A socket may stay half open for ever, a client may send a byte a minute, and what a head says of
the length may be wrong: so every read has a limit, the whole has a least speed, and bytes are
counted as they come.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import anyio
from starlette.types import Receive

from scanners.stack import Refused, Unavailable

#: Pieces are handed on in this size: one change of thread for each, not one for each packet.
PIECE: Final = 1024**2
_RETRY: Final = 5.0


class CutOff(Exception):
    """The connection ended before the body did; there is nobody to answer."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How slow a client may be.

    Attributes:
        read_seconds: Without a byte.
        least: Bytes a second over the whole body, after the first `read_seconds`.
    """

    read_seconds: float
    least: int


class Body:
    """The body of one request, read once.

    Attributes:
        size: Bytes that came so far.
    """

    def __init__(self, receive: Receive, pace: Pace) -> None:
        """Take the ASGI channel on which it comes."""
        self._receive, self._pace = receive, pace
        self._waited, self.size = 0.0, 0
        self._is_read = self._is_given_up = False

    async def pieces(self, most: int, beyond: Refused) -> AsyncIterator[bytes]:
        """Yield the body in pieces of about `PIECE` bytes.

        Raises:
            Refused: `beyond`, because more than `most` bytes came.
            Unavailable: Nothing came for too long, or too little.
            CutOff: The connection ended.
        """
        gathered = bytearray()
        while not self._is_read:
            gathered += await self._next()
            if self.size > most:
                raise beyond
            if len(gathered) >= PIECE or (gathered and self._is_read):
                yield bytes(gathered)
                gathered.clear()

    async def whole(self, most: int) -> bytes:
        """Return all of it.

        Raises:
            Refused, Unavailable, CutOff: As `pieces`; `too_large`.
        """
        return b"".join([piece async for piece in self.pieces(most, too_large(most))])

    async def drop(self, most: int) -> bool:
        """Read the rest for nothing; False if it is more than `most` bytes or came too slowly.

        Who still sends when the connection is closed does not see the answer, but a reset.

        Raises:
            Unavailable, CutOff: As `pieces`.
        """
        most += self.size
        while not (self._is_read or self._is_given_up) and self.size <= most:
            await self._next()
        return self._is_read

    async def _next(self) -> bytes:
        began = time.monotonic()
        try:
            with anyio.fail_after(self._pace.read_seconds):
                message = await self._receive()
        except TimeoutError as error:
            self._is_given_up = True
            raise _too_slow() from error
        if message["type"] == "http.disconnect":
            raise CutOff
        piece: bytes = message.get("body", b"")
        self._is_read = not message.get("more_body", False)
        self._waited += time.monotonic() - began
        self.size += len(piece)
        if self._waited > self._pace.read_seconds + self.size / self._pace.least:
            self._is_given_up = True
            raise _too_slow()
        return piece


def too_large(most: int) -> Refused:
    """Return the refusal of more than `most` bytes."""
    text = (
        f"Der Server nimmt höchstens {most} Bytes auf einmal an, hier sind es mehr. Bitte für "
        "Seiten die Auflösung im Profil verringern oder die Grenze am Server "
        "(upload.largest_page_bytes) heraufsetzen lassen."
    )
    return Refused(f"more than {most} bytes", operator_text=text, code="too_large")


def _too_slow() -> Unavailable:
    text = (
        "Die Verbindung zum Server ist zu langsam oder stockt; die Seite geht von selbst noch "
        "einmal auf den Weg. Bitte das Netzwerk prüfen lassen, wenn das so bleibt."
    )
    slow = Unavailable("the client is too slow or silent", operator_text=text)
    slow.retry_after = _RETRY
    return slow
