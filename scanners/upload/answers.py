"""What is answered, also where something went wrong."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import JSONResponse, Response

from ingest.errors import Outage
from scanners.stack import AcceptanceFault, HouseFull, Refused, Unavailable, wire
from scanners.upload.landing import house_full, is_full

#: Seconds until a station comes again, where nobody says otherwise.
_RETRY: Final = 10.0
_RETRY_FULL: Final = 60.0


def answer(said: dict[str, Any], status: int = 200) -> Response:
    """Return a JSON object; nobody between may keep it."""
    return JSONResponse(said, status, headers={"Cache-Control": "no-store"})


def nothing_to_say() -> Response:
    """Return that it was done."""
    return Response(status_code=204)


def refusal(fault: AcceptanceFault, *, ends: bool) -> Response:
    """Return a fault; `ends` the connection where the rest of its request was not read."""
    response = answer(wire.fault_to_json(fault), wire.status_of(fault))
    if isinstance(fault, Unavailable):
        usual = _RETRY_FULL if isinstance(fault, HouseFull) else _RETRY
        response.headers["Retry-After"] = str(max(1, round(fault.retry_after or usual)))
    if fault.code == "token_refused":
        response.headers["WWW-Authenticate"] = "Bearer"
    if ends:
        response.headers["Connection"] = "close"
    return response


def bug() -> Response:
    """Return that something unforeseen happened here; what, only the log says."""
    text = (
        "Auf dem Server ist ein unerwarteter Fehler aufgetreten. Die Seiten bleiben auf diesem "
        "Rechner gesichert, und es wird nach einer Weile von selbst wieder versucht. Bitte die "
        "Betreuung des Servers verständigen."
    )
    said = {"code": "internal", "operator_text": text}
    response = answer(said, 500)
    response.headers["Connection"] = "close"
    return response


def no_such_place(status: int) -> Response:
    """Return that there is nothing at this address, or not for this method."""
    text = (
        "Unter dieser Adresse nimmt der Server nichts an; wahrscheinlich passen die "
        "Programmstände nicht zusammen. Bitte die Adresse des Servers prüfen lassen."
    )
    return answer({"code": "malformed", "operator_text": text}, status)


def token_refused() -> Refused:
    """Return the refusal of a station; unknown and revoked tokens are refused alike."""
    text = (
        "Der Server kennt diesen Arbeitsplatz nicht (mehr). Die Seiten bleiben auf diesem Rechner "
        "gesichert. Bitte von der Betreuung des Servers einen neuen Zugangsschlüssel ausstellen "
        "(»station add ARBEITSPLATZ«) und hier eintragen lassen."
    )
    return Refused("token refused", operator_text=text, code="token_refused")


def busy() -> Unavailable:
    """Return that enough pages are being received just now."""
    text = "Der Server ist gerade ausgelastet; die Seite geht von selbst noch einmal auf den Weg."
    full = Unavailable("too many uploads at once", operator_text=text)
    full.retry_after = 2.0
    return full


def disagrees(number: int) -> Refused:
    """Return the refusal of a page that came otherwise than it was announced."""
    text = (
        f"Seite {number} ist anders angekommen, als der Arbeitsplatz sie angekündigt hat (Länge "
        "oder Prüfsumme); auf dem Server wurde nichts davon behalten. Wiederholt sich das, ist "
        "die Datei auf diesem Rechner beschädigt: bitte das Blatt neu scannen."
    )
    message = f"page {number} is not what was announced"
    return Refused(message, operator_text=text, code="page_disagrees")


def outage(error: Outage) -> Unavailable:
    """Return what a station is told of an outage behind us; its text may name our folders."""
    cause = error.__cause__
    if isinstance(cause, OSError) and is_full(cause):
        return house_full(f"{error.code}: {error}")
    text = (
        "Der Server kann gerade nichts annehmen (Datenbank oder Ablage antwortet nicht). Die "
        "Seiten bleiben auf diesem Rechner gesichert und gehen von selbst weiter."
    )
    return Unavailable(f"{error.code}: {error}", operator_text=text)
