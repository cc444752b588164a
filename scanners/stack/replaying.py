"""What the lines of a journal mean, taken one after the other."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanners.device import ScannedPage
from scanners.stack.terms import Closing, Interruption, StackPage


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """The house refused the stack: a person has to act before it is carried again.

    Attributes:
        code: See `scanners.stack.faults`.
        operator_text: German: what happened and what to do.
        at: By the station's clock, aware.
    """

    code: str
    operator_text: str
    at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class DeviceHeld:
    """How a device was held for a run: by the house's lease, or on this computer alone."""

    by_house: bool
    at: dt.datetime


@dataclass
class Scanned:
    """What came from the device.

    Attributes:
        spool: Folder of the runs.
        pages: Those that count, by number.
        files: Of all pages that ever counted.
        closing: The last one, None when a page came after it.
        is_interrupted: Neither page nor closing came after the last interruption.
        is_running: A run began and nothing says that it is over.
    """

    spool: Path
    pages: dict[int, StackPage] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)
    interruptions: list[Interruption] = field(default_factory=list)
    device_held: list[DeviceHeld] = field(default_factory=list)
    closing: Closing | None = None
    is_interrupted: bool = False
    is_running: bool = False

    def take(self, said: dict[str, Any]) -> None:
        """Take the next line.

        Raises:
            ValueError, TypeError, KeyError: It is none of ours.
        """
        event = said.pop("event")
        if event == "page":
            folder = self.spool / Path(said["run"]).name
            page = ScannedPage.from_json(said["page"], folder)
            self.files.add(page.path)
            self.closing, self.is_interrupted = None, False
            self.pages[page.facts.number] = StackPage(
                page=page, attempt=said["attempt"], scanned_by=said["scanned_by"]
            )
        elif event == "run_ended":
            self.is_running = False
        elif event == "interruption":
            self.is_running = False
            self.interruptions.append(Interruption.from_json(said))
            self.is_interrupted = True
        elif event == "device_held":
            self.is_running = True
            self.device_held.append(DeviceHeld(by_house=said["by_house"], at=_moment(said)))
        elif event == "closing":
            self.closing, self.is_interrupted = Closing.from_json(said), False
        else:
            message = f"event {event}"
            raise ValueError(message)


@dataclass
class Carried:
    """What the house has of it.

    Attributes:
        taken: Number and attempt.
        is_ended: The house confirmed the whole stack, or gave it up.
    """

    taken: set[tuple[int, int]] = field(default_factory=set)
    set_aside: SetAside | None = None
    is_ended: bool = False

    def take(self, said: dict[str, Any]) -> None:
        """Take the next line.

        Raises:
            ValueError, TypeError, KeyError: It is none of ours.
        """
        event = said["event"]
        if event == "taken":
            self.taken.add((int(said["number"]), int(said["attempt"])))
        elif event == "lost":
            self.taken.discard((int(said["number"]), int(said["attempt"])))
        elif event == "refused":
            self.set_aside = SetAside(
                code=said["code"], operator_text=said["operator_text"], at=_moment(said)
            )
        elif event == "retried":
            self.set_aside = None
        elif event in ("ended", "discarded"):
            self.is_ended = True
        else:
            message = f"event {event}"
            raise ValueError(message)


def _moment(said: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(said["at"])
