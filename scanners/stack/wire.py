"""How the port `Acceptance` is said over HTTP: what both ends have to spell alike.

All resources lie below `/v1` of the address that the house is mounted at, and every request
carries the station's token (`Authorization: Bearer …`) and its clock (`Scan-Clock`).

| request | body | answer |
|---|---|---|
| `GET clock` | | `{"now"}` |
| `GET profiles` | | `{"profiles": [OfferedProfile …]}` |
| `POST devices` | `{"device", "profile", "operator"}` | 204 |
| `PUT stacks/{key}` | Opening | StackState |
| `GET stacks/{key}` | | StackState |
| `PUT stacks/{key}/pages/{number}?attempt=n` | the bytes | 201; 200: was there already |
| `POST stacks/{key}/closing` | Closing | StackState |
| `POST leases` | `{"device", "operator", "seconds"}` | 201, Lease |
| `POST leases/renewal`, `POST leases/end` | Lease | 204 |

A page's bytes are the body and nothing else, so they are hashed and written as they come. What is
known of the page stands in the head: `Content-Type`, `Content-Digest` (RFC 9530, sha-256),
`Scan-Size` in bytes, and `Scan-Page`: facts, with the device, and who scanned it, as JSON in
base64url, at most `MOST_FACTS` bytes of JSON.

A fault is `{"code", "operator_text"}` with the status of `status_of`; the code decides, the status
is for those in between. `Retry-After` says when to come again.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, Final

from scanners.stack.faults import (
    AcceptanceFault,
    DeviceLeased,
    HouseFailed,
    HouseFull,
    LeaseLost,
    ManifestDisagrees,
    Refused,
    Unavailable,
)
from scanners.stack.terms import KnownPage, StackPage, StackState

ROOT: Final = "/v1"
CLOCK: Final = "Scan-Clock"
DIGEST: Final = "Content-Digest"
SIZE: Final = "Scan-Size"
PAGE: Final = "Scan-Page"
#: Bytes of JSON in `Scan-Page`; four thirds of it travel.
MOST_FACTS: Final = 24 * 1024
#: Bytes of a whole request head, which has to hold `Scan-Page`.
MOST_HEAD: Final = 64 * 1024

_DIGEST: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_KINDS: Final = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            DeviceLeased,
            HouseFailed,
            HouseFull,
            LeaseLost,
            ManifestDisagrees,
            Unavailable,
        )
    }
)
_STATUSES: Final = MappingProxyType(
    {
        "house_unavailable": 503,
        "house_full": 507,
        "internal": 500,
        "token_refused": 401,
        "stack_unknown": 404,
        "profile_unknown": 404,
        "operator_unknown": 403,
        "profile_not_released": 403,
        "device_not_released": 403,
        "stack_of_another": 403,
        "stack_closed": 409,
        "page_disagrees": 409,
        "manifest_disagrees": 409,
        "device_leased": 423,
        "lease_lost": 410,
        "too_large": 413,
        "malformed": 400,
    }
)
_OTHERWISE: Final = 422


def status_of(fault: AcceptanceFault) -> int:
    """Return the HTTP status that says what a fault says, roughly."""
    if isinstance(fault, Unavailable):
        return _STATUSES.get(fault.code, 503)
    return _STATUSES.get(fault.code, _OTHERWISE)


def fault_to_json(fault: AcceptanceFault) -> dict[str, Any]:
    """Return what a station is told of a fault; never the message for the log."""
    return {"code": fault.code, "operator_text": fault.operator_text}


def fault_from_json(status: int, said: dict[str, Any]) -> AcceptanceFault:
    """Rebuild the fault that the other end named; a code of later versions becomes a plain one.

    Raises:
        KeyError: It says no fault.
    """
    code, text = str(said["code"]), str(said["operator_text"])
    kind = _KINDS.get(code) or (Unavailable if status >= 500 else Refused)  # noqa: PLR2004 - HTTP
    return kind(f"the house answers {status}: {code}", operator_text=text, code=code)


def state_to_json(state: StackState) -> dict[str, Any]:
    """Return what the house has of a stack as a JSON object."""
    return asdict(state)


def state_from_json(said: dict[str, Any]) -> StackState:
    """Read what `state_to_json` wrote.

    Raises:
        TypeError, KeyError: A key is unknown or missing.
    """
    return StackState(**{**said, "pages": tuple(KnownPage(**each) for each in said["pages"])})


def page_to_header(page: StackPage) -> str:
    """Return facts and creator of a page for `Scan-Page`.

    Raises:
        Refused: `too_large`: there is more to say of it than a head may hold.
    """
    said = {"facts": page.page.facts.to_json(), "scanned_by": page.scanned_by}
    written = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    if len(written) > MOST_FACTS:
        number = page.page.facts.number
        text = (
            f"Das Gerät hat zu Seite {number} mehr Angaben geliefert, als der Server annimmt "
            f"({len(written)} statt höchstens {MOST_FACTS} Bytes). Bitte am Gerät die Ausgabe von "
            "Zusatzangaben (Barcodes, Aufdruck) einschränken."
        )
        message = f"page {number}: {len(written)} bytes of facts"
        raise Refused(message, operator_text=text, code="too_large")
    return base64.urlsafe_b64encode(written).decode("ascii")


def page_from_header(header: str) -> dict[str, Any]:
    """Read what `page_to_header` wrote; nothing in it has been looked at yet.

    Raises:
        ValueError: It is no JSON object in base64url, or too large.
    """
    try:
        written = base64.b64decode(header.encode("ascii"), altchars=b"-_", validate=True)
        said = json.loads(written)
    except (binascii.Error, RecursionError) as error:
        message = "no JSON in base64url"
        raise ValueError(message) from error
    if len(written) > MOST_FACTS or not isinstance(said, dict):
        message = "too large, or no JSON object"
        raise ValueError(message)
    return said


def digest_to_header(sha256: str) -> str:
    """Return a SHA-256 in hexadecimal digits as `Content-Digest` has it."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode('ascii')}:"


def digest_from_header(header: str) -> str:
    """Read what `digest_to_header` wrote; other algorithms may stand beside it.

    Raises:
        ValueError: There is no SHA-256 in it.
    """
    found = _DIGEST.search(header)
    if found is None:
        message = "no sha-256"
        raise ValueError(message)
    return base64.b64decode(found.group(1)).hex()
