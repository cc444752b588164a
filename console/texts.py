"""The German words for what the code calls stages, standings and kinds."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import Any, Final
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


def in_zone(record: Any, zone: str) -> Any:
    """Return a record with its times in the zone of the house: a date is a date there."""
    if isinstance(record, list):
        return [in_zone(part, zone) for part in record]
    if not isinstance(record, dict):
        return record
    return {
        key: _moved(value, zone) if key == "at" or key.endswith("_at") else in_zone(value, zone)
        for key, value in record.items()
    }


def _moved(value: Any, zone: str) -> Any:
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return moment.astimezone(ZoneInfo(zone)).isoformat() if moment.tzinfo else value
