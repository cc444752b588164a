"""A stack at a device: sheets in, pages on disk and in the journal, told as they come.

The rules of a stack are here: what was scanned before an interruption stays, the stack goes on at
the sheet after the last whole one, single sheets can be scanned again in place of those that were,
and what the operator counted is compared with what was scanned.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from ingest import clock
from scanners.device import (
    Device,
    FeederEmpty,
    OtherDevice,
    ScanFault,
    ScannedPage,
    ScanSettings,
    Session,
    Spool,
    SpoolFull,
    StackTaken,
)
from scanners.device.durable import room_wanted
from scanners.stack.closing import again, note_cut_off
from scanners.stack.faults import AcceptanceFault, Unavailable
from scanners.stack.journal import Journal
from scanners.stack.locking import Held
from scanners.stack.port import Acceptance
from scanners.stack.reserving import alone, leased
from scanners.stack.sheets import counted, mixed_sheets, place_of, places, whole_sheets
from scanners.stack.shelf import OPENING, folder_of
from scanners.stack.terms import (
    Interruption,
    OfferedProfile,
    Opening,
    StackPage,
)

_FIRST_RUN: Final = "0001"
_NOTHING_KEPT: Final = (
    "Kein Platz auf der Festplatte dieses Rechners; von diesem Stapel ist nichts gesichert. Bitte "
    "Platz schaffen, alle Blätter wieder einlegen und neu scannen."
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happens while a stack is scanned, for whoever watches.

    Attributes:
        kind: `opened`, `continuing`, `progress`, `page`, `interrupted`, `lease_lost`; of sheets
            that are scanned again `surplus` (more in the feeder) and `short` (fewer).
        pages: Pages that count now.
        sheets: Sheets with at least one of them.
        said: More, by kind: `device` and `by_house` (opened), `page` and `bytes` (progress),
            `after_sheet` (continuing), `number`, `sheet`, `side`, `finished_at`, `attempt` and
            `hints` (page), `after_sheet`, `code` and `operator_text` (interrupted), `sheets` that
            were not scanned again (short).
    """

    kind: str
    pages: int
    sheets: int
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What shall be scanned.

    Attributes:
        operator: Code of who feeds the sheets; None where nobody has signed on.
        station: Code of the workstation.
        expected_sheets: As counted by the operator.
    """

    profile: OfferedProfile
    operator: str | None = None
    station: str | None = None
    received_at: Any = None
    storage_place: str | None = None
    expected_sheets: int | None = None
    expected_consignments: int | None = None


class Opener(Protocol):
    """A driver, or several as one."""

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> Session:
        """See `scanners.device.Driver.open`."""
        ...


class StackRun:
    """One device at work on stacks; `cancel` may be called from any thread."""

    def __init__(
        self,
        home: Path,
        driver: Opener,
        device_id: str,
        *,
        house: Acceptance | None,
        tell: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """Take the folder of the stacks, a device, and the house as far as there is one."""
        self._home, self._driver, self._device_id = home, driver, device_id
        self._house, self._tell = house, tell
        self._session: Session | None = None
        self._cancelled = threading.Event()
        self._pages = self._sheets = 0
        self._by_house = False
        #: The stack that was scanned last; None before its first page.
        self.journal: Journal | None = None

    def cancel(self) -> None:
        """Stop after what is on disk; the stack is interrupted and can go on."""
        self._cancelled.set()
        session = self._session
        if session is not None:
            session.cancel()

    def scan(self, order: Order) -> Journal:
        """Scan a new stack to the end of the feeder; it stays open.

        There is a stack from its first page on, see `journal`.

        Raises:
            ScanFault: The stack is interrupted after its last whole sheet.
            AcceptanceFault: The house refuses device, profile or workstation; no sheet has moved.
        """
        key = str(uuid.uuid4())
        folder = folder_of(self._home, key) / "spool" / _FIRST_RUN
        try:
            with room_wanted("a stack"):
                folder.mkdir(parents=True, mode=0o700)
            with self._opened(order.profile.settings, Spool(folder), 1, order) as session:
                opening = _opening(key, order, session)
                return self._feed(session, order, lambda: Journal.begin(self._home, opening))
        except SpoolFull as error:
            if self.journal is None:
                error.operator_text = _NOTHING_KEPT
            raise
        finally:
            _clear_unused(folder)

    def go_on(self, journal: Journal, operator: str | None) -> Journal:
        """Scan more sheets into an open stack, after its last whole sheet.

        A sheet of which only the front came before the interruption is scanned again.

        Raises:
            ScanFault: The stack is interrupted again; pages until then count.
            AcceptanceFault: As `scan`.
        """
        order = _as_before(journal, operator)
        with _alone_with(journal):
            note_cut_off(journal)
            after = whole_sheets(journal)
            with room_wanted("a run"):
                first, spool = places(after + 1, journal).start, journal.new_spool()
            with self._opened(order.profile.settings, spool, first, order) as session:
                _require_same(session.device, journal)
                self._say("continuing", journal, after_sheet=after)
                return self._feed(session, order, lambda: journal)

    def rescan(self, journal: Journal, sheets: Sequence[int], operator: str | None) -> Journal:
        """Scan some sheets of an open stack again; each takes the place of the one before.

        The sheets lie in the feeder in the order of their numbers.

        Raises:
            ValueError: The stack has no such sheet; no sheet has moved.
            ScanFault: Those that came until then are replaced.
            AcceptanceFault: As `scan`.
        """
        wanted = sorted(set(sheets))
        numbers = [page for sheet in wanted for page in places(sheet, journal)]
        unknown = [sheet for sheet in wanted if sheet < 1 or sheet > counted(journal)]
        if unknown or not numbers:
            message = f"no sheets {unknown} among {counted(journal)}"
            raise ValueError(message)
        order = _as_before(journal, operator)
        with _alone_with(journal):
            note_cut_off(journal)
            with room_wanted("a run"):
                spool = journal.new_spool()
            with self._opened(order.profile.settings, spool, 1, order) as session:
                _require_same(session.device, journal)
                self._replace(journal, session, numbers, operator)
        return journal

    @contextlib.contextmanager
    def _opened(
        self, settings: ScanSettings, spool: Spool, first: int, order: Order
    ) -> Iterator[Session]:
        """Have the device alone, opened and admitted; no sheet has moved."""
        with (
            alone(self._home, self._device_id),
            self._driver.open(self._device_id, settings, spool, first=first) as session,
            leased(self._house, session.device, order.operator, self._lost) as by_house,
        ):
            self._admit(session.device, order)
            self._session = session
            try:
                if self._cancelled.is_set():
                    session.cancel()
                session.progress = self._progress
                self._say("opened", None, device=session.device, by_house=by_house)
                self._by_house = by_house
                yield session
            finally:
                self._session = None

    def _admit(self, device: Device, order: Order) -> None:
        if self._house is None:
            return
        # Offline the scan goes on: the house looks when the stack comes.
        with contextlib.suppress(Unavailable):
            self._house.admit(device, order.profile.name, order.operator)

    def _feed(self, session: Session, order: Order, begin: Callable[[], Journal]) -> Journal:
        """Note each page as it comes; `begin` gives the journal with the first."""
        with contextlib.ExitStack() as stack:
            journal: Journal | None = None
            try:
                for scanned in session.pages():
                    if journal is None:
                        self.journal = journal = begin()
                        stack.enter_context(journal.scanning())
                        journal.note_device_held(by_house=self._by_house)
                    self._note(journal, _marked(scanned, session), order.operator)
            except ScanFault as error:
                if journal is not None:
                    self._interrupted(journal, error)
                raise
            if journal is None:
                message = "the device gave no page"
                raise FeederEmpty(message)
            journal.note_run_ended()
            return journal

    def _replace(
        self, journal: Journal, session: Session, numbers: Sequence[int], operator: str | None
    ) -> None:
        self.journal = journal
        journal.note_device_held(by_house=self._by_house)
        left = list(numbers)
        try:
            for scanned in session.pages():
                if not left:
                    self._say("surplus", journal)
                    break
                number = left.pop(0)
                sheet, side = place_of(number, journal)
                facts = replace(scanned.facts, number=number, sheet=sheet, side=side)
                placed = replace(scanned, facts=facts)
                self._note(journal, _marked(placed, session), operator)
        except ScanFault as error:
            left_over = {place_of(number, journal)[0] for number in left}
            if sheets := sorted({*left_over, *mixed_sheets(journal)}):
                what = error.operator_text.partition(". ")[0]
                error.operator_text = f"{what}. {again(sheets)}"
            self._interrupted(journal, error)
            raise
        journal.note_run_ended()
        if left:
            self._say("short", journal, sheets=sorted({place_of(n, journal)[0] for n in left}))

    def _note(self, journal: Journal, scanned: ScannedPage, operator: str | None) -> None:
        facts = scanned.facts
        attempt = journal.next_attempt(facts.number)
        journal.note_page(StackPage(page=scanned, attempt=attempt, scanned_by=operator))
        place = {"number": facts.number, "sheet": facts.sheet, "side": facts.side}
        place["finished_at"] = facts.finished_at.isoformat()
        self._say("page", journal, **place, attempt=attempt, hints=facts.hints)

    def _interrupted(self, journal: Journal, error: ScanFault) -> None:
        after = whole_sheets(journal)
        journal.note_interruption(Interruption(after_sheet=after, code=error.code, at=clock.now()))
        said = {"code": error.code, "operator_text": error.operator_text}
        self._say("interrupted", journal, after_sheet=after, **said)

    def _lost(self, error: AcceptanceFault) -> None:
        self._by_house = False
        if self.journal is not None:
            with contextlib.suppress(SpoolFull, Held):  # the scan itself says what is wrong
                self.journal.note_device_held(by_house=False)
        self._say("lease_lost", None, operator_text=error.operator_text)

    def _progress(self, page: int, size: int) -> None:
        self._say("progress", None, page=page, bytes=size)

    def _say(self, kind: str, journal: Journal | None, **said: Any) -> None:
        if journal is not None:
            self._pages, self._sheets = len(journal.pages), counted(journal)
        self._tell(Event(kind=kind, pages=self._pages, sheets=self._sheets, said=said))


@contextlib.contextmanager
def _alone_with(journal: Journal) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(journal.scanning())
        except Held as error:
            message = f"stack {journal.key} is scanned by another process"
            raise StackTaken(message) from error
        yield


def _require_same(device: Device, journal: Journal) -> None:
    """Refuse another device than the one that the stack names, for all its pages."""
    before = journal.opening.device
    if not device.mark.is_of(before.mark) or _is_other_product(device, before):
        name = f"{before.vendor} {before.model}".strip() or before.id
        text = (
            f"Der Stapel wurde auf dem Gerät {name} (Nr. {before.serial or 'unbekannt'}, Firmware "
            f"{before.firmware or 'unbekannt'}) begonnen; es wurde kein Blatt eingezogen. "
            "Bitte dort fortsetzen oder den Stapel abschließen und den Rest als neuen scannen."
        )
        message = f"stack {journal.key} began on {before.driver}:{before.serial or before.id}"
        raise OtherDevice(message, operator_text=text)


def _marked(scanned: ScannedPage, session: Session) -> ScannedPage:
    """Return a page that says which device it came from: the house compares."""
    return replace(scanned, facts=replace(scanned.facts, device=session.device.mark))


def _is_other_product(device: Device, before: Device) -> bool:
    """Tell whether vendor or model are others; stacks of before SANE told them name neither."""
    told = before.vendor, before.model
    return any(told) and told != (device.vendor, device.model)


def _opening(key: str, order: Order, session: Session) -> Opening:
    return Opening(
        key=key,
        profile=order.profile.name,
        operator=order.operator,
        station=order.station,
        device=session.device,
        settings=order.profile.settings,
        effective=dict(session.effective),
        opened_at=clock.now(),
        received_at=order.received_at,
        storage_place=order.storage_place,
        expected_sheets=order.expected_sheets,
        expected_consignments=order.expected_consignments,
    )


def _as_before(journal: Journal, operator: str | None) -> Order:
    """Return the order of a stack that goes on: with the settings it began with."""
    opening = journal.opening
    profile = OfferedProfile(
        name=opening.profile, title="", treatment="", settings=opening.settings
    )
    return Order(profile=profile, operator=operator, station=opening.station)


def _clear_unused(run: Path) -> None:
    """Remove the folder of a stack that never began, with a page that does not count."""
    stack = run.parent.parent
    if not (stack / OPENING).exists():
        shutil.rmtree(stack, ignore_errors=True)
