"""HTTP/1.1 of uvicorn, with a limit for heads as well.

uvicorn waits for ever for the head of a first request and for the rest of one that was begun. A
few hundred such connections from a broken network would use up all that are allowed.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

#: From the connection, or from a head's first byte, to its end.
_HEAD_SECONDS: Final = 20.0


class BoundedProtocol(H11Protocol):
    """Closes connections whose head does not come."""

    head_seconds: float = _HEAD_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn hands over."""
        super().__init__(*arguments, **named)
        self._limit: asyncio.TimerHandle | None = None

    @override
    def connection_made(  # type: ignore[override] # uvicorn narrows the transport as well
        self, transport: asyncio.Transport
    ) -> None:
        """Wait for a head."""
        super().connection_made(transport)
        self._await_head()

    @override
    def data_received(self, data: bytes) -> None:
        """Wait no more once a request has begun; the application bounds its body."""
        super().data_received(data)
        begun: RequestResponseCycle | None = self.cycle
        if begun is None or begun.response_complete:
            self._await_head()
        elif self._limit is not None:
            self._limit.cancel()
            self._limit = None

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the limit."""
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._limit is None:
            self._limit = self.loop.call_later(self.head_seconds, self._give_up)

    def _give_up(self) -> None:
        self.transport.abort()
