"""What a request says, looked at before anybody believes it.

Types are checked here, because the values of `scanners.stack` are plain dataclasses; whether a
stack, profile or person exists is asked of the house. Unknown keys are refused: leaving out what
a later station says of a page would lose it in silence.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from ingest import clock
from scanners.device import Device, PageFacts
from scanners.stack import Closing, Lease, Opening, Refused, wire
from scanners.stack.terms import LONGEST_PLACE, MOST_COUNTED

#: Bytes of JSON: the manifest of 20,000 pages has 2.6 MB.
MOST_JSON: Final = 8 * 1024**2
_MOST_SECONDS: Final = 3600.0
_MOST_ATTEMPTS: Final = 10_000
_MOST_PAGES: Final = 1_000_000
_MOST_SIZE_DIGITS: Final = 12
#: Beyond it JSON is read differently by different programs (RFC 8259, 6), and kept by no ledger.
_MOST_NUMBER: Final = 2**53 - 1
#: Characters of a text in a body.
_LONGEST_TEXT: Final = 2_000
#: No clock at a scanner is further off; beyond, moments cannot be had in every zone.
_FIRST_MOMENT: Final = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
_LAST_MOMENT: Final = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)
_TOKEN: Final = re.compile(r"Bearer ([\x21-\x7e]{20,200})", re.IGNORECASE)
_MEDIA_TYPE: Final = re.compile(r"[a-z]{1,30}/[a-z0-9][a-z0-9.+-]{0,80}")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What the head says of a page.

    Attributes:
        key: Of its stack.
        size: bytes, as announced.
        sha256: As announced.
    """

    key: str
    attempt: int
    media_type: str
    size: int
    sha256: str
    facts: PageFacts
    scanned_by: str | None


@dataclass(frozen=True, kw_only=True)
class LeaseWish:
    """What somebody who wants to use a device says."""

    device: Device
    operator: str | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Who wants to use which device under which profile."""

    device: Device
    profile: str
    operator: str | None


@dataclass(frozen=True, kw_only=True)
class _Page:
    facts: PageFacts
    scanned_by: str | None


_OPENING: Final = TypeAdapter(Opening)
_CLOSING: Final = TypeAdapter(Closing)
_LEASE: Final = TypeAdapter(Lease)
_WISH: Final = TypeAdapter(LeaseWish)
_ADMISSION: Final = TypeAdapter(Admission)
_PAGE: Final = TypeAdapter(_Page)


def token(request: Request) -> str | None:
    """Return the token that a request carries, None where it carries none."""
    found = _TOKEN.fullmatch(request.headers.get("authorization", ""))
    return None if found is None else found.group(1)


def station_clock(request: Request) -> dt.datetime:
    """Return what the station's clock says.

    Raises:
        Refused: `malformed`.
    """
    try:
        moment = dt.datetime.fromisoformat(request.headers.get(wire.CLOCK.lower(), ""))
    except ValueError as error:
        raise malformed(f"{wire.CLOCK}: {error}") from error
    if moment.tzinfo is None:
        raise malformed(f"{wire.CLOCK} has no zone")
    return moment


def stack_key(request: Request) -> str:
    """Return the key of the stack that the path names.

    Raises:
        Refused: `stack_unknown`: no station makes such keys.
    """
    said: str = request.path_params["key"]
    try:
        key = str(uuid.UUID(said))
    except ValueError:
        key = ""
    if key != said:
        text = "Der Stapel ist auf dem Server nicht bekannt. Bitte den Stapel neu beginnen."
        message = "a key that is no UUID"
        raise Refused(message, operator_text=text, code="stack_unknown")
    return key


def page(request: Request) -> Sent:
    """Return what path and head say of a page.

    Raises:
        Refused: `malformed`, `stack_unknown`.
    """
    key, head = stack_key(request), request.headers
    try:
        said = wire.page_from_header(head.get(wire.PAGE.lower(), ""))
        sha256 = wire.digest_from_header(head.get(wire.DIGEST.lower(), ""))
    except ValueError as error:
        raise malformed(str(error)) from error
    known = _checked(_PAGE, json.dumps(said).encode(), _page, longest=wire.MOST_FACTS)
    number = _count(request.path_params["number"], _MOST_PAGES, "number")
    if known.facts.number != number:
        raise malformed(f"page {number} says that it is {known.facts.number}")
    media_type = head.get("content-type", "")
    if not _MEDIA_TYPE.fullmatch(media_type):
        message = "Content-Type"
        raise malformed(message)
    return Sent(
        key=key,
        attempt=_count(request.query_params.get("attempt", "1"), _MOST_ATTEMPTS, "attempt"),
        media_type=media_type,
        size=_count(head.get(wire.SIZE.lower(), ""), 10**_MOST_SIZE_DIGITS, wire.SIZE),
        sha256=sha256,
        facts=known.facts,
        scanned_by=known.scanned_by,
    )


def opening(body: bytes, key: str) -> Opening:
    """Return the opening of the stack `key`.

    Raises:
        Refused: `malformed`; where people said what the house cannot take, the text names it.
    """
    said = _checked(_OPENING, body, Opening.from_json)
    if said.key != key:
        message = "another key in the path"
        raise malformed(message)
    if wrong := list(_untakable(said)):
        text = (
            f"Der Server kann den Stapel so nicht annehmen: {'; '.join(wrong)}. Seine Seiten "
            "bleiben auf diesem Rechner gesichert. Bitte das Papier mit richtigen Angaben als "
            "neuen Stapel scannen und danach diesen verwerfen (»discard«)."
        )
        raise Refused("malformed: " + "; ".join(wrong), operator_text=text, code="malformed")
    return said


def _untakable(said: Opening) -> Iterator[str]:
    """Yield in German what people said of a stack that no ledger takes."""
    counts = (("Blätter", said.expected_sheets), ("Sendungen", said.expected_consignments))
    for name, count in counts:
        if count is not None and not 0 <= count <= MOST_COUNTED:
            yield f"{count} gezählte {name} (höchstens {MOST_COUNTED})"
    if said.received_at is not None and clock.lies_ahead(said.received_at):
        yield f"das Eingangsdatum {said.received_at:%d.%m.%Y} liegt in der Zukunft"
    if said.storage_place is not None and len(said.storage_place) > LONGEST_PLACE:
        yield f"der Ablageort ist länger als {LONGEST_PLACE} Zeichen"


def closing(body: bytes) -> Closing:
    """Return a manifest.

    Raises:
        Refused: `malformed`.
    """
    return _checked(_CLOSING, body, Closing.from_json)


def admission(body: bytes) -> Admission:
    """Return device, profile and person.

    Raises:
        Refused: `malformed`.
    """
    return _checked(
        _ADMISSION, body, lambda said: Admission(**{**said, "device": Device(**said["device"])})
    )


def lease_wish(body: bytes) -> LeaseWish:
    """Return who wants which device for how long.

    Raises:
        Refused: `malformed`.
    """
    wish = _checked(
        _WISH, body, lambda said: LeaseWish(**{**said, "device": Device(**said["device"])})
    )
    _require_seconds(wish.seconds)
    return wish


def lease(body: bytes) -> Lease:
    """Return a lease as it was given.

    Raises:
        Refused: `malformed`; also for a time for which none is given.
    """
    found = _checked(_LEASE, body, lambda said: Lease(**said))
    _require_seconds(found.seconds)
    return found


def _require_seconds(seconds: float) -> None:
    if not 0 < seconds <= _MOST_SECONDS:
        message = "seconds"
        raise malformed(message)


def malformed(message: str) -> Refused:
    """Return the refusal of what no station of ours says."""
    text = (
        "Der Server versteht die Angaben dieses Arbeitsplatzes nicht; wahrscheinlich passen die "
        "Programmstände nicht zusammen. Die Seiten bleiben gesichert. Bitte die Betreuung "
        "verständigen und Arbeitsplatz und Server auf denselben Stand bringen lassen."
    )
    return Refused(f"malformed: {message}", operator_text=text, code="malformed")


def _page(said: dict[str, Any]) -> _Page:
    return _Page(**{**said, "facts": PageFacts.from_json(said["facts"])})


def _checked(
    kind: TypeAdapter[T],
    body: bytes,
    read: Callable[[dict[str, Any]], T],
    *,
    longest: int = _LONGEST_TEXT,
) -> T:
    """Check types strictly, then read as everybody does, which refuses unknown keys."""
    if b"\\u0000" in body:
        message = "a character that no database takes"
        raise malformed(message)
    try:
        kind.validate_json(body, strict=True)
        said = json.loads(body)
        _require_moderate(said, longest)
        found = read(said)
    except ValidationError as error:
        places = [".".join(map(str, each["loc"])) for each in error.errors(include_input=False)]
        message = f"{places[:5]}"
        raise malformed(message) from error
    except (ValueError, TypeError, KeyError) as error:
        raise malformed(type(error).__name__) from error
    for moment in _moments(found):
        if moment.tzinfo is None or not _FIRST_MOMENT <= moment < _LAST_MOMENT:
            message = "a time without zone, or none of ours"
            raise malformed(message)
    return found


def _require_moderate(said: Any, longest: int) -> None:
    """See that every number and text in a JSON value is one that can be kept.

    Raises:
        ValueError: One is not.
    """
    left = [said]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += [*each, *each.values()]
        elif isinstance(each, list):
            left += each
        elif isinstance(each, str) and len(each) > longest:
            message = "a text that is too long"
            raise ValueError(message)
        elif (isinstance(each, float) and not math.isfinite(each)) or (
            isinstance(each, int) and abs(each) > _MOST_NUMBER
        ):
            message = "a number that is too large"
            raise ValueError(message)


def _moments(found: object) -> list[dt.datetime]:
    """Return the times in a value and in the values it holds."""
    if isinstance(found, dt.datetime):
        return [found]
    if is_dataclass(found):
        return [moment for name in fields(found) for moment in _moments(getattr(found, name.name))]
    return [moment for each in found for moment in _moments(each)] if type(found) is tuple else []


def _count(said: str, most: int, what: str) -> int:
    if not re.fullmatch(rf"[0-9]{{1,{_MOST_SIZE_DIGITS}}}", said) or not 1 <= int(said) <= most:
        raise malformed(what)
    return int(said)
