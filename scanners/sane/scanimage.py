"""SANE devices through the program `scanimage`, where its library cannot be used from here.

The program is good at scanning and careless in what it says: a page that broke off is a success
to it, its count of pages has those that failed, and an interruption may be taken as the end of
one page only. So pages are counted by the names it prints, each is measured, and that somebody
stopped the scan is remembered here.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ingest.sandbox import Ended, Lent, Program, Silent, tool_version
from scanners.device import (
    Device,
    DeviceGone,
    DeviceStalled,
    DriverCrashed,
    Effective,
    Feed,
    FeederEmpty,
    ScanCancelled,
    ScannedPage,
    ScanSettings,
    Spool,
)
from scanners.device.port import Progress
from scanners.sane.abi import SaneFault, Status
from scanners.sane.options import Chosen
from scanners.sane.printed import PrintedOptions
from scanners.sane.reading import fault_of, not_there
from scanners.sane.taking import Taking

_OPENING_SECONDS: Final = 60.0
_LOOKING_SECONDS: Final = 0.2
#: After the program said how the stack ended; drivers hang when the device is given back.
_GIVING_BACK_SECONDS: Final = 2.0
_SAID: Final = re.compile(r"scanimage: sane_(start|read): ")
_FOLDER: Final = ".scanimage"
_SEPARATOR: Final = "\x1f"
_DEVICE: Final = f"%d{_SEPARATOR}%v{_SEPARATOR}%m{_SEPARATOR}%t%n"
#: The one way in which a stack ends well. The status does not tell: it is 0 for a failed page too
#: where a signal of the driver's own came in between.
_RAN_EMPTY: Final = "sane_start: Document feeder out of documents"
#: With other statuses it says in words what happened; these are SANE's own (4.3.11).
_WORDS: Final = {
    "cancelled": Status.CANCELLED,
    "Device busy": Status.BUSY,
    "Invalid argument": Status.INVALID,
    "feeder jammed": Status.JAMMED,
    "out of documents": Status.NO_DOCS,
    "cover is open": Status.COVER_OPEN,
    "Out of memory": Status.NO_MEMORY,
    "has been denied": Status.ACCESS_DENIED,
}


@dataclass(frozen=True, kw_only=True)
class ScanimageDriver:
    """All devices that the SANE of this machine knows.

    Attributes:
        environment: Additions to the program's, such as `SANE_CONFIG_DIR`.
        options: As for `SaneDriver`.
        program: Its name or path.
        seen: As for `RemoteDriver`.
    """

    name: str = "sane"
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    program: str = "scanimage"
    seen: dict[str, Device] = field(default_factory=dict, init=False, compare=False, repr=False)

    def devices(self, seconds: float) -> list[Device]:
        """Return the devices that answer within so many seconds.

        Raises:
            DeviceGone: The program is not installed here.
            DeviceStalled: It hangs while probing.
        """
        lines, _ = self._asked(seconds, "-f", _DEVICE)
        parts = [line.split(_SEPARATOR) for line in lines if line.count(_SEPARATOR) == 3]  # noqa: PLR2004 - between the four parts of `_DEVICE`
        found = [
            Device(id=name, driver=self.name, vendor=vendor, model=model, kind=kind)
            for name, vendor, model, kind in parts
        ]
        self.seen.update({each.id: each for each in found})
        return found

    def open(
        self, device_id: str, settings: ScanSettings, spool: Spool, *, first: int = 1
    ) -> ScanimageSession:
        """Look whether the device can do what is demanded; it is not held before the scan begins.

        Raises:
            SettingRefused: A demanded value cannot be set.
            ScanFault: Busy, gone or refused; no sheet has moved.
        """

        def printing(arguments: list[str]) -> tuple[list[str], str]:
            call = ("-d", device_id, *arguments, "--all-options")
            lines, ended = self._asked(_OPENING_SECONDS, *call)
            if ended.status != 0:
                raise SaneFault(f"scanimage: {ended.tail}", status_of(ended))
            return lines, ended.tail

        try:
            printed = PrintedOptions(printing)
            effective = Chosen(printed, settings, self.options.get(device_id, {})).make()
        except SaneFault as error:
            if error.status is Status.INVALID:
                raise not_there(error, device_id) from error
            raise fault_of(error, first - 1) from error
        version = tool_version(self.program, "--version")
        unseen = Device(id=device_id, driver=self.name, vendor="", model="")
        device = replace(self.seen.get(device_id, unseen), firmware=version)
        taking = Taking(settings=settings, spool=spool, folder=spool.folder / _FOLDER, next=first)
        command = ["-d", device_id, *printed.arguments]
        return ScanimageSession(self, device, effective, command, taking)

    def started(self, *arguments: str) -> Program:
        """Start the program.

        Raises:
            DeviceGone: It is not installed.
        """
        try:
            return Program(self.program, *arguments, environment=self.environment)
        except OSError as error:
            text = (
                "SANE ist auf diesem Rechner nicht eingerichtet. Bitte das Paket sane-utils "
                "installieren lassen."
            )
            raise DeviceGone(str(error), operator_text=text) from error

    def _asked(self, seconds: float, *arguments: str) -> tuple[list[str], Ended]:
        with self.started(*arguments) as program:
            try:
                return program.to_end(seconds)
            except Silent as error:
                raise DeviceStalled(str(error)) from error


class ScanimageSession(Lent):
    """A device that is scanned by one run of the program."""

    def __init__(
        self,
        driver: ScanimageDriver,
        device: Device,
        effective: Mapping[str, Effective],
        command: list[str],
        taking: Taking,
    ) -> None:
        """Take what `open` found; nothing moves yet."""
        self.device = device
        self.effective = effective
        self.progress: Progress = lambda _page, _bytes: None
        self._driver = driver
        self._command = command
        self._taking = taking
        self._program: Program | None = None
        self._cancelled = threading.Event()

    def pages(self) -> Iterator[ScannedPage]:
        """Yield each page when it is durable; end at the true end of the stack.

        Raises:
            ScanFault: As the port says.
        """
        taking = self._taking
        first, flat = taking.next, taking.settings.feed is Feed.FLATBED
        taking.clear()
        taking.folder.mkdir(parents=True)
        folder = str(taking.folder).replace("%", "%%")  # it is a format to the program
        batch = [f"--batch={folder}/%06d.tif", f"--batch-start={first}", "--batch-print"]
        batch += ["--batch-count=1"] if flat else []
        if self._cancelled.is_set():
            raise self._stopped()
        try:
            with self._driver.started(*self._command, "--format=tiff", *batch) as program:
                self._program = program
                while (path := self._printed(program, first)) is not None:
                    yield taking.page(path)
        finally:
            taking.clear()

    def cancel(self) -> None:
        """Stop the program in steps, from any thread."""
        if not self._cancelled.is_set():
            self._cancelled.set()
            if self._program is not None:
                self._program.stop()

    def close(self) -> None:
        """Give the device back, whatever the program is doing."""
        if self._program is not None:
            self._program.stop()
        self._taking.clear()

    def _printed(self, program: Program, first: int) -> Path | None:
        """Return the next page that the program printed the name of, None at the true end.

        The clock of a page begins anew whenever it grew.
        """
        size, grown = -1, time.monotonic()
        while True:
            if self._cancelled.is_set():
                program.stop()
                raise self._stopped()
            try:
                return Path(os.fsdecode(program.line(_LOOKING_SECONDS).rstrip(b"\n")))
            except Ended as ended:
                self._over(ended, first)
                return None
            except Silent:
                now = self._taking.size_so_far()
            if now != size:
                size, grown = now, time.monotonic()
                self.progress(self._taking.next, size)
            elif self._is_over(program, time.monotonic() - grown):
                self._over(Ended(0, program.tail()), first)
                return None

    def _is_over(self, program: Program, seconds: float) -> bool:
        """Tell whether a program that has written nothing for so long is done but for its driver.

        Raises:
            DeviceStalled: It is not; it has been killed.
        """
        done = _SAID.search(program.tail()) is not None
        if done and seconds > _GIVING_BACK_SECONDS:
            program.kill()
            return True
        if seconds > self._taking.settings.timeout:
            program.kill()
            message = f"page {self._taking.next} has not grown for {seconds:.1f} s"
            raise DeviceStalled(message, pages_done=self._taking.next - 1)
        return False

    def _stopped(self) -> ScanCancelled:
        message = "cancelled by the operator"
        return ScanCancelled(message, pages_done=self._taking.next - 1)

    def _over(self, ended: Ended, first: int) -> None:
        """See whether this is the true end of the stack.

        Raises:
            ScanFault: It is not.
        """
        done = self._taking.next - 1
        if self._cancelled.is_set():
            raise self._stopped()
        if ended.status is None:
            raise DriverCrashed(str(ended), pages_done=done)
        fault = fault_of(SaneFault(f"scanimage: {ended.tail}", status_of(ended)), done)
        if ended.status not in (0, int(Status.NO_DOCS)):
            raise fault
        flat = self._taking.settings.feed is Feed.FLATBED
        if not (flat and ended.status == 0) and _RAN_EMPTY not in ended.tail:
            raise fault
        if done < first:
            raise FeederEmpty(str(ended), pages_done=done)


def status_of(ended: Ended) -> Status:
    """Return which status of SANE the program ended with; after 0 and 1 its words tell."""
    if ended.status in list(Status) and ended.status not in (0, int(Status.UNSUPPORTED)):
        return Status(ended.status)
    words = (status for word, status in _WORDS.items() if word in ended.tail)
    return next(words, Status.IO_ERROR)
