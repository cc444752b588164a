"""Openings, pages and manifests of stacks as a workstation would have them."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from scanners.device import Device, Feed, PageFacts, ScanSettings, Spool, place_of
from scanners.stack import Closing, Interruption, KnownPage, Opening, StackPage

MORNING = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
DEVICE = Device(id="http://192.0.2.7/eSCL", driver="escl", vendor="Muster", model="MFP 7")


def opening(*, feed: Feed = Feed.FEEDER, **other: Any) -> Opening:
    """A stack that begins."""
    said = {
        "key": str(uuid.uuid4()),
        "profile": "posteingang",
        "operator": "P-17",
        "station": "PC-3",
        "device": DEVICE,
        "settings": ScanSettings(dpi=75, feed=feed),
        "effective": {},
        "opened_at": MORNING,
    }
    return Opening(**{**said, **other})


def page(
    spool: Spool, number: int, *, feed: Feed = Feed.FEEDER, attempt: int = 1, body: bytes = b""
) -> StackPage:
    """A page that a driver put into the spool; its bytes tell number and attempt."""
    sheet, side = place_of(number, feed)
    facts = PageFacts(
        number=number,
        sheet=sheet,
        side=side,
        width=620,
        height=877,
        dpi=75,
        mode="grey",
        depth=8,
        began_at=MORNING,
        finished_at=MORNING + dt.timedelta(seconds=number),
        hints={"imprint": f"Nr. {number} äöü"},
    )
    content = body or f"page {number} attempt {attempt}".encode()
    kept = spool.keep([content], "image/jpeg", facts)
    return StackPage(page=kept, attempt=attempt, scanned_by="P-17")


def closing(pages: dict[int, StackPage], interruptions: list[Interruption]) -> Closing:
    """The manifest of these pages."""
    return Closing(
        pages=tuple(
            KnownPage(number=number, attempt=each.attempt, sha256=each.page.sha256)
            for number, each in sorted(pages.items())
        ),
        sheets=len(pages),
        interruptions=tuple(interruptions),
        closed_at=MORNING + dt.timedelta(minutes=5),
        closed_by="P-17",
    )
