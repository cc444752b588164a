"""The ASGI application: who calls, what is asked, what the house says to it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingest import clock
from ingest.errors import Outage
from ingest.upload_settings import UploadSettings
from scanners.device import ScannedPage
from scanners.stack import Acceptance, AcceptanceFault, StackPage, Unavailable, wire
from scanners.upload import answers, asked
from scanners.upload.body import Body, CutOff, Pace, too_large
from scanners.upload.landing import Landing
from scanners.upload.terms import CLOCKS_DIFFER, Station

log = structlog.get_logger(__name__)

#: Of a request that is refused, so much is still read, so that the client sees the answer.
_DROPPED: Final = 64 * 1024**2
_CLIENT_GONE: Final = 499
#: A page waits so long until another is done; its station waits longer.
_TURN_SECONDS: Final = 5.0
#: Threads for what is no page.
_OTHERS: Final = 8

T = TypeVar("T")
Authenticate = Callable[[str], Station | None]
AcceptanceOf = Callable[[Station], Acceptance]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request whose station is known."""

    request: Request
    body: Body
    station: Station


Endpoint = Callable[[Call], Awaitable[Response]]


def application(
    authenticate: Authenticate,
    acceptance_of: AcceptanceOf,
    landing: Landing,
    settings: UploadSettings | None = None,
) -> Starlette:
    """Return the application; it may be mounted below any path.

    Args:
        authenticate: Returns the station that a token belongs to, None for tokens that are
            unknown or revoked. Called in threads; it may raise `ingest.errors.Outage`.
        acceptance_of: Returns the house as this station sees it, for one request, in a thread.
        landing: Where pages lie while they are received; it was prepared.
        settings: The limits.
    """
    door = _Door(authenticate, acceptance_of, landing, settings or UploadSettings())
    served = Starlette(
        routes=list(door.places()),
        exception_handlers={HTTPException: _no_such_place},
    )
    served.router.redirect_slashes = False  # stations follow none
    return served


async def _no_such_place(request: Request, error: Exception) -> Response:
    del request
    return answers.no_such_place(error.status_code if isinstance(error, HTTPException) else 404)


def _unforeseen(error: Exception, path: str) -> Response:
    log.error("upload_failed", path=path, exc_info=error)
    return answers.bug()


class _Door:
    """The endpoints and what they share."""

    def __init__(
        self,
        authenticate: Authenticate,
        acceptance_of: AcceptanceOf,
        landing: Landing,
        settings: UploadSettings,
    ) -> None:
        self._authenticate, self._acceptance_of = authenticate, acceptance_of
        self._landing, self._largest = landing, settings.largest_page_bytes
        self._pace = Pace(read_seconds=settings.read_seconds, least=settings.least_bytes_per_second)
        self._turns = anyio.CapacityLimiter(settings.uploads)
        self._threads = anyio.CapacityLimiter(settings.uploads + _OTHERS)

    def places(self) -> Iterator[Route]:
        """Every path with its endpoint."""
        for method, path, endpoint in (
            ("GET", "/clock", self._clock),
            ("GET", "/profiles", self._profiles),
            ("POST", "/devices", self._admit),
            ("PUT", "/stacks/{key}", self._open),
            ("GET", "/stacks/{key}", self._state),
            ("PUT", "/stacks/{key}/pages/{number}", self._append),
            ("POST", "/stacks/{key}/closing", self._close),
            ("POST", "/leases", self._lease),
            ("POST", "/leases/renewal", self._renew),
            ("POST", "/leases/end", self._give_back),
        ):
            yield Route(wire.ROOT + path, self._answering(endpoint, path), methods=[method])

    def _answering(self, endpoint: Endpoint, path: str) -> Callable[[Request], Awaitable[Response]]:
        """Let `endpoint` answer stations that are known, and log who was answered what."""

        async def answered(request: Request) -> Response:
            began, body, code = time.monotonic(), Body(request.receive, self._pace), None
            try:
                station = await self._station(request)
                code = station.code
                response = await endpoint(Call(request=request, body=body, station=station))
            except CutOff:
                response = Response(status_code=_CLIENT_GONE)
            except AcceptanceFault as fault:
                response = await self._refused(fault, request, body, is_known=code is not None)
            except Outage as error:
                response = await self._refused(
                    answers.outage(error), request, body, is_known=code is not None
                )
            except Exception as error:  # noqa: BLE001 - the seam to strangers: told nothing of it
                response = _unforeseen(error, path)
            log.info(
                "upload_answered",
                method=request.method,
                path=path,
                status=response.status_code,
                station=code,
                received=body.size,
                seconds=round(time.monotonic() - began, 3),
            )
            return response

        return answered

    async def _station(self, request: Request) -> Station:
        """Return who calls.

        Raises:
            Refused: `token_refused`, `malformed`.
        """
        token = asked.token(request)
        station = None if token is None else await self._run(lambda: self._authenticate(token))
        if station is None:
            raise answers.token_refused()
        offset = asked.station_clock(request) - clock.now()
        if abs(offset) <= CLOCKS_DIFFER:
            offset = dt.timedelta()
        return replace(station, clock_offset=offset)

    async def _refused(
        self, fault: AcceptanceFault, request: Request, body: Body, *, is_known: bool
    ) -> Response:
        """Answer a fault when the client listens: it reads nothing before it has sent all."""
        log.warning("upload_refused", code=fault.code, error=str(fault))
        waits = request.headers.get("expect", "").lower() == "100-continue" and not body.size
        try:
            is_read = not waits and await body.drop(self._largest if is_known else _DROPPED)
        except Unavailable:
            is_read = False
        except CutOff:
            return Response(status_code=_CLIENT_GONE)
        return answers.refusal(fault, ends=not is_read)

    async def _run(self, act: Callable[[], T]) -> T:
        """Do what waits for disk or database in a thread."""
        return await anyio.to_thread.run_sync(act, limiter=self._threads)

    async def _ask(self, call: Call, question: Callable[[Acceptance], T]) -> T:
        """Ask the house as the station of `call` sees it."""
        return await self._run(lambda: question(self._acceptance_of(call.station)))

    async def _clock(self, call: Call) -> Response:
        del call
        return answers.answer({"now": clock.now().isoformat()})

    async def _profiles(self, call: Call) -> Response:
        offered = await self._ask(call, lambda house: house.profiles())
        return answers.answer({"profiles": [each.to_json() for each in offered]})

    async def _admit(self, call: Call) -> Response:
        said = asked.admission(await call.body.whole(asked.MOST_JSON))
        await self._ask(call, lambda house: house.admit(said.device, said.profile, said.operator))
        return answers.nothing_to_say()

    async def _open(self, call: Call) -> Response:
        key = asked.stack_key(call.request)
        said = asked.opening(await call.body.whole(asked.MOST_JSON), key)
        # Which station it is, its token says.
        opening = replace(said, station=call.station.code)
        state = await self._ask(call, lambda house: house.open(opening))
        return answers.answer(wire.state_to_json(state))

    async def _state(self, call: Call) -> Response:
        key = asked.stack_key(call.request)
        state = await self._ask(call, lambda house: house.state(key))
        return answers.answer(wire.state_to_json(state))

    async def _append(self, call: Call) -> Response:
        sent = asked.page(call.request)
        if sent.size > self._largest:
            raise too_large(self._largest)
        try:
            with anyio.fail_after(_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            raise answers.busy() from error
        try:
            is_new = await self._land(call, sent)
        finally:
            self._turns.release()
        return answers.answer({}, 201 if is_new else 200)

    async def _land(self, call: Call, sent: asked.Sent) -> bool:
        """Bring a page to our disk and into the house."""
        landed = await self._run(lambda: self._landing.begin(sent.size))
        try:
            differs = answers.disagrees(sent.facts.number)
            async for piece in call.body.pieces(sent.size, differs):
                await self._run(partial(landed.take, piece))
            if (landed.size, landed.sha256) != (sent.size, sent.sha256):
                raise differs
            page = StackPage(
                page=ScannedPage(
                    path=landed.path,
                    media_type=sent.media_type,
                    sha256=sent.sha256,
                    size=sent.size,
                    facts=sent.facts,
                ),
                attempt=sent.attempt,
                scanned_by=sent.scanned_by,
            )
            return await self._ask(call, lambda house: house.append(sent.key, page))
        finally:
            with anyio.CancelScope(shield=True):
                await self._run(landed.discard)

    async def _close(self, call: Call) -> Response:
        key = asked.stack_key(call.request)
        said = asked.closing(await call.body.whole(asked.MOST_JSON))
        state = await self._ask(call, lambda house: house.close(key, said))
        return answers.answer(wire.state_to_json(state))

    async def _lease(self, call: Call) -> Response:
        wish = asked.lease_wish(await call.body.whole(asked.MOST_JSON))
        lease = await self._ask(
            call, lambda house: house.lease(wish.device, wish.operator, wish.seconds)
        )
        return answers.answer(asdict(lease), 201)

    async def _renew(self, call: Call) -> Response:
        lease = asked.lease(await call.body.whole(asked.MOST_JSON))
        await self._ask(call, lambda house: house.renew(lease))
        return answers.nothing_to_say()

    async def _give_back(self, call: Call) -> Response:
        lease = asked.lease(await call.body.whole(asked.MOST_JSON))
        await self._ask(call, lambda house: house.give_back(lease))
        return answers.nothing_to_say()
