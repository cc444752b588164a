"""The German words for what the code calls stages, standings and kinds."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from ingest.document import NOT_RECORDED

STAGES: Final = MappingProxyType(
    {
        "open": "offen",
        "received": "eingegangen",
        "inspected": "geprüft",
        "separated": "getrennt",
        "closed": "abgeschlossen",
        "captured": "erfasst",
        "recognised": "erkannt",
        "checked": "kontrolliert",
        "noted": "vermerkt",
        "sealed": "gesichert",
        "routed": "zugeordnet",
        "delivered": "zugestellt",
        "acknowledged": "bestätigt",
        "inbox": "im Eingang",
    }
)
STANDINGS: Final = MappingProxyType(
    {
        "ready": "bereit",
        "claimed": "in Arbeit",
        "deferred": "zurückgestellt",
        "waiting": "wartet",
        "held": "Klärfall",
        "quarantined": "Quarantäne",
        "done": "erledigt",
        "rejected": "zurückgewiesen",
        "superseded": "ersetzt",
        "unaccepted": "nicht angenommen",
    }
)
KINDS: Final = MappingProxyType(
    {"batch": "Einlieferung", "document": "Dokument", "unaccepted": "nicht angenommen"}
)


def local_time(text: str | None, zone: str) -> str:
    """Return an ISO moment as people of the house write it, or "nicht erfasst"."""
    if not text:
        return NOT_RECORDED
    moment = dt.datetime.fromisoformat(text)
    return moment.astimezone(ZoneInfo(zone)).strftime("%d.%m.%Y %H:%M")
