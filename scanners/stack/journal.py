"""The journal of a stack: what came from the scanner and what the house has of it.

A stack has a folder of its own in the home of the workstation, `<home>/stacks/<key>/`:

- `stack.json`: what was known at its first sheet, written once;
- `pages.jsonl`: written by whoever scans, a synced line for each page, interruption and closing;
- `taken.jsonl`: written by whoever carries to the house, a line for each page that the house has;
- `spool/<run>/`: the pages themselves, a folder for each run of the device, so that a second
  attempt at a page, or a driver's process that outlived its parent, overwrites nothing.

A page counts when its line is on disk. A file without a line was never shown to anybody as
scanned; the operator is told the last sheet that counts and feeds the next ones again, so such a
file is cleared before the next run. Nothing else is removed before the house has confirmed the
whole stack.

Scanning and carrying may be two processes: each writes its own file under a lock that ends with
the process.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from ingest import clock
from scanners.device import Feed, Spool, SpoolFull
from scanners.device.durable import room_wanted, sync_folder, write_whole
from scanners.stack.lines import Lines, LinesDamaged
from scanners.stack.locking import held
from scanners.stack.replaying import Carried, DeviceHeld, Scanned, SetAside
from scanners.stack.shelf import (
    OPENING,
    VERSION,
    JournalDamaged,
    clear,
    folder_of,
    known,
    lock_of,
    mark_removed,
    read_opening,
    sweep,
)
from scanners.stack.terms import Closing, Interruption, Opening, StackPage


class Journal:
    """One stack. Safe for several threads; may be open in several processes."""

    def __init__(self, home: Path, key: str) -> None:
        """Read the stack `key` of `home`; use `begin` and `open`.

        Raises:
            FileNotFoundError: There is no such stack, or not any more.
            JournalDamaged: Its files are none of ours.
        """
        self.key = key
        self.folder = folder_of(home, key)
        self._home = home
        self.sequence, self.opening = read_opening(self.folder)
        self._pages = Lines(self.folder / "pages.jsonl")
        self._taken = Lines(self.folder / "taken.jsonl")
        self._guard = threading.RLock()
        self._holding: set[str] = set()
        self._scanned = Scanned(spool=self.folder / "spool")
        self._carried = Carried()
        with self._current():
            pass

    @classmethod
    def begin(cls, home: Path, opening: Opening) -> Self:
        """Make the journal of a new stack; it is on disk when this returns.

        Raises:
            FileExistsError: A stack with this key is known.
            SpoolFull: There is no room; there is no stack then.
            OSError: The disk failed otherwise; there is no stack then either.
        """
        folder = folder_of(home, opening.key)
        with room_wanted("a stack"):
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep(folder.parent)
        if (folder / OPENING).exists():
            message = f"there is a stack {opening.key}"
            raise FileExistsError(message)
        with room_wanted("a stack"):
            (folder / "spool").mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("pages.jsonl", "taken.jsonl"):
            write_whole(folder / name, b"")
        last = max((sequence for sequence, _ in known(home)), default=0)
        said = {"version": VERSION, "sequence": last + 1, "opening": opening.to_json()}
        write_whole(folder / OPENING, json.dumps(said, ensure_ascii=False).encode())
        sync_folder(folder.parent)
        return cls(home, opening.key)

    @classmethod
    def open(cls, home: Path, key: str) -> Self:
        """Return the journal of a stack as far as it is on disk.

        Raises:
            FileNotFoundError: There is no such stack, or not any more.
            JournalDamaged: Its files are none of ours.
        """
        return cls(home, key)

    # --- what there is ---

    @property
    def pages(self) -> dict[int, StackPage]:
        """The pages that count, by number; of each the last attempt."""
        with self._current():
            return dict(sorted(self._scanned.pages.items()))

    @property
    def untaken(self) -> list[StackPage]:
        """The pages that count and are not known to be with the house, in their order."""
        with self._current():
            taken = self._carried.taken
            pages = sorted(self._scanned.pages.items())
            return [page for number, page in pages if (number, page.attempt) not in taken]

    @property
    def sheets(self) -> int:
        """Whole sheets: those all of whose sides count."""
        sides: dict[int, set[str]] = {}
        for page in self.pages.values():
            sides.setdefault(page.page.facts.sheet, set()).add(page.page.facts.side)
        wanted = 2 if self.opening.settings.feed is Feed.DUPLEX else 1
        return sum(len(found) >= wanted for found in sides.values())

    @property
    def interruptions(self) -> list[Interruption]:
        """In their order."""
        with self._current():
            return list(self._scanned.interruptions)

    @property
    def device_held(self) -> list[DeviceHeld]:
        """How the device was held, for each run."""
        with self._current():
            return list(self._scanned.device_held)

    @property
    def is_interrupted(self) -> bool:
        """The last that happened at the device is that the stack stopped, and may go on."""
        with self._current():
            return self._scanned.is_interrupted

    @property
    def is_cut_off(self) -> bool:
        """The last run neither ended nor was interrupted: whoever scanned died."""
        with self._current():
            return self._scanned.is_running

    @property
    def closing(self) -> Closing | None:
        """The manifest, once the stack shall end; None again when a page came after it."""
        with self._current():
            return self._scanned.closing

    @property
    def set_aside(self) -> SetAside | None:
        """Why the stack is not carried any more, until somebody asks for another try."""
        with self._current():
            return self._carried.set_aside

    @property
    def is_ended(self) -> bool:
        """The house confirmed the whole stack or gave it up; nothing here is needed any more."""
        with self._current():
            return self._carried.is_ended

    def next_attempt(self, number: int) -> int:
        """Return which attempt at a page the next one is, from 1."""
        pages = self.pages
        return pages[number].attempt + 1 if number in pages else 1

    # --- whoever scans ---

    @contextlib.contextmanager
    def scanning(self) -> Iterator[None]:
        """Be the one who scans this stack for the block; single notes take it for themselves.

        Raises:
            Held: Another process scans it.
        """
        with self._having("scan"):
            yield

    def new_spool(self) -> Spool:
        """Return an empty spool for one run of the device, clearing files without a line.

        Only while nobody else scans this stack; see `scanning`.
        """
        with self._having("scan"), self._current():
            root = self._scanned.spool
            runs = sorted(root.iterdir())
            for file in (file for run in runs for file in run.iterdir()):
                if file not in self._scanned.files:
                    file.unlink(missing_ok=True)
            number = int(runs[-1].name) + 1 if runs else 1
            folder = root / f"{number:04d}"
            folder.mkdir(mode=0o700)
            sync_folder(root)
            return Spool(folder)

    def note_page(self, page: StackPage) -> None:
        """Let a page count that a spool of this journal holds; it does when this returns.

        A higher attempt replaces the page of this number. A closing that was noted before does not
        hold any more. The same page twice is one.

        Raises:
            ValueError: Another page has this number and no lower attempt, the house has confirmed
                the stack, or the file lies elsewhere.
            SpoolFull: There is no room for the line; the page does not count.
            Held: Another process scans this stack.
        """
        folder = page.page.path.parent
        if folder.parent != self._scanned.spool:
            message = f"{page.page.path} is in no spool of {self.key}"
            raise ValueError(message)
        with self._having("scan"), self._current():
            number = page.page.facts.number
            known = self._scanned.pages.get(number)
            if known is not None and _place(known) == _place(page):
                return
            if self._carried.is_ended or (known is not None and known.attempt >= page.attempt):
                message = f"page {number}, attempt {page.attempt}: not any more"
                raise ValueError(message)
            said = {"page": page.page.to_json(), "run": folder.name, "attempt": page.attempt}
            self._pages.append({"event": "page", **said, "scanned_by": page.scanned_by})

    def note_interruption(self, interruption: Interruption) -> None:
        """Say that the stack stopped after a whole sheet.

        Raises:
            SpoolFull, Held: As `note_page`.
        """
        with self._having("scan"), self._current():
            self._pages.append({"event": "interruption", **interruption.to_json()})

    def note_device_held(self, *, by_house: bool) -> None:
        """Say how the device is held for the run that begins.

        Raises:
            SpoolFull, Held: As `note_page`.
        """
        said = {"event": "device_held", "by_house": by_house, "at": clock.now().isoformat()}
        with self._having("scan"), self._current():
            self._pages.append(said)

    def note_run_ended(self) -> None:
        """Say that the device's run came to its end; without it the run was cut off.

        Raises:
            SpoolFull, Held: As `note_page`.
        """
        with self._having("scan"), self._current():
            self._pages.append({"event": "run_ended"})

    def note_closing(self, closing: Closing) -> None:
        """Say that the stack shall end with these pages.

        Raises:
            SpoolFull, Held: As `note_page`.
        """
        with self._having("scan"), self._current():
            self._pages.append({"event": "closing", **closing.to_json()})

    # --- whoever carries ---

    @contextlib.contextmanager
    def carrying(self) -> Iterator[None]:
        """Be the one who carries this stack for the block; single notes take it for themselves.

        Raises:
            Held: Another process carries it.
        """
        with self._having("carry"), self._current():
            yield

    def note_taken(self, number: int, attempt: int) -> None:
        """Say that the house has a page; a line lost with the power costs a repetition."""
        self._note_carried({"event": "taken", "number": number, "attempt": attempt}, synced=False)

    def note_lost(self, number: int, attempt: int) -> None:
        """Say that the house has a page no more that it took once: it is carried again."""
        self._note_carried({"event": "lost", "number": number, "attempt": attempt})

    def note_refused(self, code: str, operator_text: str) -> None:
        """Set the stack aside: a person has to act."""
        said = {"event": "refused", "code": code, "operator_text": operator_text}
        self._note_carried({**said, "at": clock.now().isoformat()})

    def note_retried(self) -> None:
        """Let the stack be carried again: somebody acted."""
        self._note_carried({"event": "retried"})

    def note_ended(self) -> None:
        """Say that the house confirmed the whole stack."""
        self._note_carried({"event": "ended"})

    def note_discarded(self) -> None:
        """Say that the house gave up the stack; nothing here is needed any more."""
        self._note_carried({"event": "discarded"})

    def remove(self) -> None:
        """Remove the stack from this computer: the house has it, or gave it up.

        Raises:
            ValueError: The house has said neither.
            Held: Somebody scans it or carries it; it stays.
        """
        if not self.is_ended:
            message = f"the house has not confirmed {self.key}"
            raise ValueError(message)
        with held(self._lock("scan")), self._having("carry"):
            mark_removed(self.folder)
            clear(self.folder)

    # --- inside ---

    def _note_carried(self, said: dict[str, Any], *, synced: bool = True) -> None:
        """Write a line; on a full disk this object alone knows it, so that room can be made."""
        with self._having("carry"), self._current():
            try:
                self._taken.append(said, synced=synced)
            except SpoolFull:
                self._carried.take(said)

    @contextlib.contextmanager
    def _having(self, role: str) -> Iterator[None]:
        """Have the lock of a role, once for all threads that use this object."""
        if role in self._holding:
            yield
            return
        with held(self._lock(role)):
            self._holding.add(role)
            try:
                yield
            finally:
                self._holding.discard(role)

    def _lock(self, role: str) -> Path:
        return lock_of(self._home, self.key, role)

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        """Have read what is on disk, and let no other thread change it for the block."""
        with self._guard:
            for lines, told in ((self._pages, self._scanned), (self._taken, self._carried)):
                try:
                    for said in lines.news():
                        told.take(said)
                except FileNotFoundError:
                    raise
                except (OSError, LinesDamaged, ValueError, TypeError, KeyError) as error:
                    raise JournalDamaged(self.folder, lines.path.name, str(error)) from error
            yield


def journals(home: Path) -> list[Journal]:
    """Return the stacks of a workstation, oldest first; damaged ones are left out."""
    found = []
    for _, folder in known(home):
        with contextlib.suppress(JournalDamaged, FileNotFoundError):
            found.append(Journal.open(home, folder.name))
    return found


def damaged(home: Path) -> list[JournalDamaged]:
    """Return what is wrong with each stack that cannot be read."""
    found = []
    for _, folder in known(home):
        try:
            Journal.open(home, folder.name)
        except JournalDamaged as error:
            found.append(error)
        except FileNotFoundError:
            continue  # the house has it, and it was removed meanwhile
    return found


def _place(page: StackPage) -> tuple[int, str]:
    return page.attempt, page.page.sha256
