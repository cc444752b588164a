"""What a closed stack becomes: envelope, sources, manifest, and what is known of the scan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from ingest.document import Envelope, Facts, Priority, Sides, Source
from ingest.intake import name_base64
from ingest.ledger import Arrival, devices, openstacks, stacks
from scanners.device import Device, Feed, PageFacts
from scanners.stack import Closing, Opening

#: What a device may say of a page that a person wants to find again.
_HINTS: Final = ("imprint", "patch", "double_feed", "double-feed")
_REPLACING: Final = "replacing"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a stack ended.

    Attributes:
        closing: As the station said it.
        manifest: The record of the stack, durable in the store.
        inventory: Number that the house gave the device.
        objections: Why it is not to go on under a replacing profile: code and German text each.
        anomalies: What was strange, beside what was noted of the open stack.
    """

    closing: Closing
    manifest: Source
    inventory: str | None
    objections: tuple[tuple[str, str], ...] = ()
    anomalies: tuple[Facts, ...] = ()


def seen_device(device: Device, station: str | None) -> devices.SeenDevice:
    """Return a device as the registry knows it: by serial number where it tells one.

    What has none and hangs at a workstation is another device at each of them.
    """
    name = f"{device.driver}:{device.serial or device.id}"
    is_local = not device.serial and "://" not in device.id and not device.id.startswith("net:")
    return devices.SeenDevice(
        device=f"{station}/{name}" if is_local and station else name,
        vendor=device.vendor,
        model=device.model,
        serial=device.serial,
        firmware=device.firmware,
    )


def manifest(row: stacks.Row, pages: stacks.Rows, closing: Closing) -> Facts:
    """Return the whole record of a stack: kept byte by byte beside the batch, as its manifest.

    Args:
        row: Of the stack, still open.
        pages: All its pages, replaced ones too.
        closing: As the station said it.
    """
    last = {(page.number, page.attempt) for page in stacks.counting(pages)}
    return {
        "message_type": "scan_manifest",
        "stack": row.id,
        "station": row.station,
        "opening": row.said,
        "closing": closing.to_json(),
        "anomalies": row.anomalies,
        "pages": [
            {
                "number": page.number,
                "attempt": page.attempt,
                "counts": (page.number, page.attempt) in last,
                "sha256": page.sha256,
                "size": page.size,
                "media_type": page.media_type,
                "scanned_by": page.scanned_by,
                "taken_at": page.taken_at.isoformat(),
                "facts": page.facts,
            }
            for page in pages
        ],
    }


def arrival(
    row: stacks.Row,
    pages: stacks.Rows,
    content: Facts,
    ended: Ended,
) -> Arrival:
    """Return the arrival that a stack is.

    Args:
        row: Of the stack, still open.
        pages: All its pages.
        content: Of its profile.
        ended: How it ended.
    """
    opening = Opening.from_json(row.said)
    counting = stacks.counting(pages)
    return Arrival(
        receipt_key=row.key,
        tenant=row.tenant,
        batch_id=row.id,
        envelope=_envelope(row, opening, counting, _sides(opening, content), ended.inventory),
        profile=content,
        profile_sha256=row.profile_sha256,
        priority=int(Priority[content["priority"].upper()]),
        sources=tuple(_source(place, page) for place, page in enumerate(counting, start=1)),
        held=_held(ended) if content["treatment"] == _REPLACING else None,
        manifests=(ended.manifest,),
        scanned=_scanned(row, opening, pages, ended),
    )


def _held(ended: Ended) -> tuple[str, str] | None:
    """Return the first code and all texts of what objects; None where nothing does."""
    if not ended.objections:
        return None
    return ended.objections[0][0], " ".join(text for _, text in ended.objections)


def _envelope(
    row: stacks.Row,
    opening: Opening,
    pages: stacks.Rows,
    sides: Sides,
    inventory: str | None,
) -> Envelope:
    began = [PageFacts.from_json(page.facts).began_at for page in pages]
    return Envelope(
        profile=row.profile,
        channel=openstacks.SCANNER,
        operator=row.operator,
        received_at=opening.received_at,
        received_at_source=None if opening.received_at is None else "operator",
        scanned_at=min(began, default=opening.opened_at).astimezone(dt.UTC),
        device=_name(opening.device, inventory),
        storage_place=opening.storage_place,
        expected_sheets=opening.expected_sheets,
        expected_consignments=opening.expected_consignments,
        sides=sides,
    )


def _name(device: Device, inventory: str | None) -> str:
    parts = [device.vendor, device.model]
    if device.serial:
        parts.append(f"Nr. {device.serial}")
    name = " ".join(part for part in parts if part) or device.id
    return name if inventory is None else f"{inventory} ({name})"


def _sides(opening: Opening, profile: Facts) -> Sides:
    if opening.settings.feed is Feed.DUPLEX:
        return Sides.DUPLEX
    twice = profile["separation"]["sides"] == Sides.FRONTS_THEN_BACKS
    return Sides.FRONTS_THEN_BACKS if twice else Sides.SIMPLEX


def _source(place: int, page: stacks.Row) -> Source:
    name = openstacks.name_of(page)
    return Source(
        ordinal=place,
        name=name,
        name_base64=name_base64(name),
        sha256=page.sha256,
        size=page.size,
    )


def _scanned(row: stacks.Row, opening: Opening, pages: stacks.Rows, ended: Ended) -> Facts:
    counting = stacks.counting(pages)
    codes = [row.operator, *(page.scanned_by for page in counting)]
    return {
        "device": {**asdict(opening.device), "inventory": ended.inventory},
        "station": row.station,
        "settings": opening.settings.to_json(),
        "effective": {name: asdict(made) for name, made in sorted(opening.effective.items())},
        "operators": list(dict.fromkeys(code for code in codes if code)),
        "sheets": ended.closing.sheets,
        "interruptions": [each.to_json() for each in ended.closing.interruptions],
        "replaced": [
            {
                "number": page.number,
                "attempts": page.attempt,
                "scanned_by": page.scanned_by,
                "taken_at": page.taken_at.isoformat(),
            }
            for page in counting
            if page.attempt > 1
        ],
        "hints": list(_hints(counting)),
        "anomalies": [*row.anomalies, *ended.anomalies],
        "closed_by": ended.closing.closed_by,
    }


def _hints(pages: stacks.Rows) -> Iterable[dict[str, Any]]:
    for page in pages:
        said = page.facts.get("hints", {})
        found = {name: said[name] for name in _HINTS if said.get(name) not in (None, False)}
        if found:
            yield {"number": page.number, **found}
