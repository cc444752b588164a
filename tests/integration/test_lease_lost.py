"""A station that loses its device while it scans: the scan goes on, and the house is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from scanners.device import Effective, Feed, ScannedPage, ScanSettings, Spool
from scanners.stack import Closing
from scanners.stack.closing import close_stack
from scanners.stack.run import Event, Order, StackRun
from tests.plugins.file_house import PROFILE, FileHouse, refused
from tests.plugins.installation import PATIENCE
from tests.plugins.stack_pages import DEVICE, page

#: A lease that is renewed after a hundredth of a second.
_SHORT = 0.03


class TwoPages:
    """A device that gives its second page after something was heard."""

    def __init__(self, spool: Spool, heard: threading.Event) -> None:
        self._spool, self._heard = spool, heard
        self.progress: Callable[[int, int], None] = lambda _page, _size: None
        self.device = DEVICE
        self.effective: Mapping[str, Effective] = {}

    def pages(self) -> Iterator[ScannedPage]:
        yield page(self._spool, 1).page
        assert self._heard.wait(PATIENCE)
        yield page(self._spool, 2).page

    def cancel(self) -> None:
        """Nothing stands still here."""

    def close(self) -> None:
        """Nothing is held here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Driver:
    """Opens the device."""

    def __init__(self, heard: threading.Event) -> None:
        self._heard = heard

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> TwoPages:
        assert (settings.feed, first) == (Feed.FEEDER, 1)
        return TwoPages(spool, self._heard)


def closed(home: Path, house: FileHouse | None, heard: threading.Event, kind: str) -> Closing:
    """Scan a stack whose second page comes after an event of some kind; close it."""

    def tell(event: Event) -> None:
        if event.kind == kind:
            heard.set()

    run = StackRun(home, Driver(heard), "escl:mfp", house=house, tell=tell)
    journal = run.scan(Order(profile=PROFILE, operator="P-17"))
    assert not journal.is_cut_off
    closing = close_stack(journal, "P-17")
    assert Closing.from_json(closing.to_json()) == closing
    return closing


def test_a_lease_that_is_lost_in_mid_scan_is_said_in_the_closing(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "house", lease_seconds=_SHORT)
    house.faults["renew"] = [refused("lease_lost")]
    closing = closed(tmp_path / "home", house, threading.Event(), "lease_lost")
    assert len(closing.pages) == 2
    assert len(closing.unheld_at) == 1


def test_a_device_that_the_house_held_to_the_end_is_no_anomaly(tmp_path: Path) -> None:
    house = FileHouse(tmp_path / "house")
    assert closed(tmp_path / "home", house, threading.Event(), "page").unheld_at == ()


def test_a_scan_without_a_house_says_that_nobody_held_the_device(tmp_path: Path) -> None:
    assert len(closed(tmp_path / "home", None, threading.Event(), "page").unheld_at) == 1
