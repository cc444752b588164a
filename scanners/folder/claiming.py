"""Claiming by atomic rename: whoever moved a file into `.claimed/<uuid>` has it, nobody else.

The path below `<uuid>` mirrors the one below the inbox, so where a file came from survives
any crash. The note `.owner` says which process works on the claim; a claim whose process
is gone, or whose note nobody has touched for a while, is taken over under the same receipt
key, so that even a paused owner that wakes up again makes no second receipt.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from ingest.document import new_id
from scanners.folder.listing import Entry
from scanners.folder.moving import move, move_from, sync_folder
from scanners.folder.naming import CLAIMED

log = structlog.get_logger(__name__)
_NOTE: Final = ".owner"
_NOTE_DRAFT: Final = ".owner.new"
_TOUCH_SECONDS: Final = 5.0


class ClaimLostToOther(Exception):
    """Another watcher moved the file first; nothing was claimed."""


@dataclass(frozen=True)
class Owner:
    """A process, recognisable after reboots and across containers.

    Attributes:
        place: Boot and process namespace: where `pid` means something.
        started: Ticks after boot; tells a reused number from the process that had it.
    """

    place: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> Owner:
        """Return this process."""
        boot = Path("/proc/sys/kernel/random/boot_id")
        space = Path("/proc/self/ns/pid")
        try:
            place = f"{boot.read_text('ascii').strip()}/{space.readlink()}"
        except OSError:  # no /proc: notes are judged by their age alone
            place = f"{socket.gethostname()}/{uuid.uuid4()}"
        return cls(place, os.getpid(), _started(os.getpid()) or 0)

    def is_gone(self, here: Owner) -> bool:
        """Tell whether this process is known to have ended, seen from the process `here`."""
        return self.place == here.place and _started(self.pid) != self.started


def _started(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _raised(error: OSError) -> None:
    """Make `os.walk` say what it would pass over."""
    raise error


class Claim:
    """One claim on disk.

    Attributes:
        key: Name of its folder and receipt key of its arrival.
        is_fresh: Just made, so that nobody can have received it.
    """

    def __init__(self, inbox: Path, key: str, *, is_fresh: bool = False) -> None:
        """Name the claim `key` of `inbox`; nothing is touched."""
        self.is_fresh = is_fresh
        self._inbox = inbox
        self.key = key
        self.path = inbox / CLAIMED / key
        self._touched = 0.0

    def files(self) -> list[Path]:
        """Return what is claimed, in order of name; nothing if the claim is gone.

        Raises:
            OSError: It cannot be listed, so nobody knows what is in it.
        """
        if not os.path.lexists(self.path):
            return []
        found = []
        for folder, folders, names in os.walk(self.path, onerror=_raised):
            folders.sort()
            links = [name for name in folders if Path(folder, name).is_symlink()]
            found += [Path(folder, name) for name in sorted([*names, *links])]
        own = {self.path / _NOTE, self.path / _NOTE_DRAFT}
        return [path for path in found if path not in own]

    def folders(self) -> set[Path]:
        """Return its folder and those below that hold files.

        Raises:
            OSError: It cannot be listed.
        """
        return {self.path, *(path.parent for path in self.files())}

    def relative(self, path: Path) -> Path:
        """Return where below the inbox the claimed `path` came from."""
        return path.relative_to(self.path)

    def touch(self) -> None:
        """Show that the owner lives, at most every few seconds."""
        now = time.monotonic()
        if now - self._touched >= _TOUCH_SECONDS:
            self._touched = now
            with contextlib.suppress(OSError):
                os.utime(self.path / _NOTE)

    def gather(self) -> None:
        """Move the rest of a planned stack in, after a crash between two renames."""
        for name in self._planned():
            relative = Path(os.fsdecode(base64.b64decode(name)))
            target = self.path / relative
            if ".." not in relative.parts and not os.path.lexists(target):
                with contextlib.suppress(FileNotFoundError):
                    move_from(self._inbox, relative, target)

    def give_back(self, path: Path, folder: Path | None = None) -> Path:
        """Return a claimed file to where it came from, under a free name; never overwrite.

        Args:
            path: The claimed file.
            folder: Another folder below the inbox.
        """
        home = self.relative(path).parent if folder is None else folder
        wanted = self._inbox / home / path.name
        wanted.parent.mkdir(parents=True, exist_ok=True)
        target, number = wanted, 1
        while True:
            try:
                move(path, target)
            except FileExistsError:
                number += 1
                target = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
            else:
                return target

    def close(self) -> bool:
        """Remove the claim when nothing is left in it; False when something is.

        Only our own notes and empty folders are removed, so what a listing did not show stays.

        Raises:
            OSError: It cannot be listed or removed; what was in it is still there.
        """
        if self.files():
            return False
        walked = os.walk(self.path, topdown=False, onerror=_raised)
        try:
            for folder in [Path(folder) for folder, _, _ in walked]:
                if folder == self.path:
                    for name in (_NOTE_DRAFT, _NOTE):
                        (self.path / name).unlink(missing_ok=True)
                folder.rmdir()
        except FileNotFoundError:  # another watcher has removed it
            return True
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            return False
        return True

    def write_note(self, owner: Owner, plan: Sequence[str] | None = None) -> None:
        """Say who works on this claim; a plan is made durable, as a stack depends on it."""
        kept = list(self._planned()) if plan is None else list(plan)
        content = json.dumps(
            {
                "place": owner.place,
                "pid": owner.pid,
                "started": owner.started,
                "host": socket.gethostname(),
                "plan": kept,
            }
        )
        temporary = self.path / _NOTE_DRAFT
        with temporary.open("w", encoding="ascii") as stream:
            stream.write(content)
            if kept:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(self.path / _NOTE)
        if kept:
            sync_folder(self.path)

    def owner(self) -> Owner | None:
        """Return who wrote the note, None if there is none that can be understood.

        Raises:
            OSError: The note is out of reach.
        """
        values = self._note()
        try:
            return Owner(str(values["place"]), int(values["pid"]), int(values["started"]))
        except (KeyError, TypeError, ValueError):
            return None

    def touched_ns(self) -> int:
        """Return when the note was last touched, by the clock of the file system."""
        for path in (self.path / _NOTE, self.path):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime_ns
        return 0

    def _planned(self) -> Sequence[str]:
        plan = self._note().get("plan", [])
        return [name for name in plan if isinstance(name, str)] if isinstance(plan, list) else []

    def _note(self) -> dict[str, Any]:
        try:
            values = json.loads((self.path / _NOTE).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}


def _take(inbox: Path, entry: Entry, claim: Claim) -> None:
    """Move `entry` into `claim`, and make sure that it is the file that was listed."""
    target = claim.path / entry.relative
    move_from(inbox, entry.relative, target)
    if not os.path.samestat(target.lstat(), entry.status):
        raise ClaimLostToOther


class Claims:
    """The claims of one inbox, as one watcher sees them."""

    def __init__(
        self, inbox: Path, abandoned_seconds: float, monotonic: Callable[[], float]
    ) -> None:
        """Take over claims of `inbox` that nobody touched for `abandoned_seconds`."""
        self._inbox = inbox
        self._abandoned_seconds = abandoned_seconds
        self._monotonic = monotonic
        self._owner = Owner.current()
        self._mine: set[str] = set()
        self._ages: dict[str, tuple[int, float]] = {}

    def claim(self, entries: Sequence[Entry]) -> Claim:
        """Move `entries` into a new claim, in this order: all of them or none.

        Raises:
            ClaimLostToOther: One is not there any more, or is another file than the one that
                was listed; what was moved is back, or this watcher's to finish on a later pass.
            OSError: One cannot be moved; as above.
        """
        claim = Claim(self._inbox, new_id(), is_fresh=True)
        claim.path.mkdir(mode=0o700, parents=True)
        plan = [base64.b64encode(os.fsencode(entry.relative)).decode() for entry in entries]
        claim.write_note(self._owner, plan if len(plan) > 1 else ())
        self._mine.add(claim.key)
        try:
            for entry in entries:
                _take(self._inbox, entry, claim)
        except (OSError, ClaimLostToOther) as error:
            self._undo(claim, entries)
            if isinstance(error, FileNotFoundError):
                raise ClaimLostToOther from error
            raise
        return claim

    def _undo(self, claim: Claim, entries: Sequence[Entry]) -> None:
        """Give back what was moved, the manifest of a stack last, as it closes the stack."""
        try:
            for entry in reversed(entries):
                path = claim.path / entry.relative
                if os.path.lexists(path):
                    claim.give_back(path)
            self.close(claim)
        except OSError as error:  # the claim stands, and its plan tells what it lacks
            log.warning("claim_not_given_back", claim=claim.key, error=str(error))

    def workable(self) -> list[Claim]:
        """Return the claims that are this watcher's to finish, abandoned ones taken over."""
        found = []
        with os.scandir(self._inbox / CLAIMED) as entries:
            keys = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        for key in keys:
            claim = Claim(self._inbox, key)
            try:
                if key not in self._mine and self._is_abandoned(claim):
                    claim.write_note(self._owner)
                    self._mine.add(key)
            except OSError as error:  # with a note out of reach its plan would be forgotten
                log.warning("claim_out_of_reach", claim=key, error=str(error))
            if key in self._mine:
                claim.touch()
                found.append(claim)
        self._ages = {key: age for key, age in self._ages.items() if key in keys}
        return found

    def close(self, claim: Claim) -> bool:
        """Remove `claim` if it is empty."""
        closed = claim.close()
        if closed:
            self._mine.discard(claim.key)
        return closed

    def sync(self, folders: Iterable[Path], claims: Iterable[Claim]) -> None:
        """Make the moves from `folders` to `claims` durable, before anybody counts on them."""
        into = {parent for claim in claims for parent in claim.folders()}
        for folder in [*sorted(into, reverse=True), self._inbox / CLAIMED, *sorted(set(folders))]:
            sync_folder(folder)

    def _is_abandoned(self, claim: Claim) -> bool:
        owner = claim.owner()
        if owner is not None and owner.is_gone(self._owner):
            return True
        touched, now = claim.touched_ns(), self._monotonic()
        known = self._ages.get(claim.key)
        if known is None or known[0] != touched:
            self._ages[claim.key] = known = (touched, now)
        return now - known[1] >= self._abandoned_seconds
