"""Is a file finished? Quiet for long enough, open for writing nowhere, whole to its end.

No single sign is enough: a stalled copy is quiet, a preallocated one has its size, every
page boundary of a TIFF that grows is a valid TIFF, and a share reports nothing at all.
"""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import os
import signal
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest import clock
from ingest.content import completeness, kind_of
from ingest.document import SourceKind
from ingest.settings import FolderSettings
from scanners.folder.listing import Entry
from scanners.folder.naming import Refusal

_F_SETSIG: Final = 10  # Linux; not named in Python's fcntl


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be done with a file.

    Attributes:
        taken: It may be claimed now.
        reason: Why it waits or is refused, None when taken.
        due_in: Seconds until the verdict may change by time alone, None if only the file can.
    """

    taken: bool
    reason: Refusal | None = None
    due_in: float | None = None


_TAKEN: Final = Verdict(taken=True)
#: Kinds whose last bytes say that they are the last; a TIFF is whole at every page.
_WITH_END_MARK: Final = frozenset({SourceKind.PDF, SourceKind.JPEG, SourceKind.PNG})
_UNKNOWN_WRITER: Final = (
    "still_written",
    "Ob noch geschrieben wird, ist nicht erkennbar; wird angenommen, sobald die Datei länger ruht "
    "oder eine Fertig-Marke dabeiliegt.",
)


@dataclass(kw_only=True)
class _Observed:
    fingerprint: tuple[int, int, int, int]
    since: float
    first: float
    first_seen_at: dt.datetime


class Settling:
    """Remembers since when each path has not changed. Nothing here survives a restart.

    After a restart every file is quiet for zero seconds, so one that was half-written when
    the watcher started is treated like any other.
    """

    def __init__(self, settings: FolderSettings, monotonic: Callable[[], float]) -> None:
        """Measure quiet with `monotonic`: the file's own times may be anything."""
        self._settings = settings
        self._monotonic = monotonic
        self._observed: dict[Path, _Observed] = {}

    def observe(self, entries: Iterable[Entry]) -> None:
        """Note what the files look like now."""
        now = self._monotonic()
        for entry in entries:
            known = self._observed.get(entry.relative)
            if known is None:
                self._observed[entry.relative] = _Observed(
                    fingerprint=entry.fingerprint, since=now, first=now, first_seen_at=clock.now()
                )
            elif known.fingerprint != entry.fingerprint:
                known.fingerprint, known.since = entry.fingerprint, now

    def first_seen_at(self, relative: Path) -> dt.datetime:
        """Return when `relative` was first seen, now if it never was."""
        known = self._observed.get(relative)
        if known is None:
            now = self._monotonic()
            known = _Observed(
                fingerprint=(0, 0, 0, 0), since=now, first=now, first_seen_at=clock.now()
            )
            self._observed[relative] = known
        return known.first_seen_at

    def is_fresh(self, relative: Path) -> bool:
        """Tell whether `relative` was first seen less than the quiet time ago."""
        known = self._observed.get(relative)
        return known is None or self._monotonic() - known.first < self._settings.settle_seconds

    def forget_others(self, present: Collection[Path]) -> None:
        """Drop what is not in `present` any more."""
        for relative in self._observed.keys() - set(present):
            del self._observed[relative]

    def quiet_for(self, entry: Entry) -> float:
        """Return for how many seconds `entry` has been seen unchanged."""
        known = self._observed.get(entry.relative)
        if known is None or known.fingerprint != entry.fingerprint:
            return 0.0
        return self._monotonic() - known.since

    def rest(self, entry: Entry) -> float:
        """Return the quiet time still missing, zero or less when over."""
        return self._settings.settle_seconds - self.quiet_for(entry)

    def judge(self, entry: Entry, *, closed: bool = False) -> Verdict:
        """Decide about one file; `closed` by its sender, it needs no quiet time.

        Raises:
            OSError: The file is gone or unreadable.
        """
        if not closed and (rest := self.rest(entry)) > 0:
            reason = ("still_written", "Wird noch geschrieben; wird angenommen, sobald sie ruht.")
            return Verdict(taken=False, reason=reason, due_in=rest)
        rest = self._settings.give_up_seconds - self.quiet_for(entry)
        is_open = is_open_for_writing(entry.path)
        if rest > 0 and is_open:
            reason = (
                "still_written",
                "Wird noch geschrieben: Ein Programm hat die Datei geöffnet. Bitte dort schließen.",
            )
            return Verdict(taken=False, reason=reason, due_in=min(rest, 1.0))
        kind = kind_of(entry.path)
        if is_open is None and not closed and kind not in _WITH_END_MARK:
            longer = self._settings.unknown_writer_seconds - self.quiet_for(entry)
            if longer > 0:
                return Verdict(taken=False, reason=_UNKNOWN_WRITER, due_in=longer)
        return self._by_content(entry, kind, rest)

    def _by_content(self, entry: Entry, kind: SourceKind, rest: float) -> Verdict:
        if kind is SourceKind.UNKNOWN and entry.status.st_size:
            text = (
                "Dateityp nicht erkannt, nicht angenommen. Bitte als PDF, TIFF, JPEG oder PNG "
                "ablegen und diese Datei entfernen."
            )
            return Verdict(taken=False, reason=("unknown_type", text))
        found = completeness(entry.path, kind)
        if found.complete or rest <= 0:
            return _TAKEN
        text = (
            f"Unvollständig: {found.operator_text}. Bitte Übertragung beenden oder neu scannen; "
            f"nach {self._settings.give_up_seconds:.0f} s ohne Änderung wird die Datei als "
            "Klärfall angenommen."
        )
        return Verdict(taken=False, reason=("incomplete", text), due_in=rest)


def is_open_for_writing(path: Path) -> bool | None:
    """Tell whether a process of this machine has `path` open for writing; None if unknown.

    The kernel grants a read lease only when nobody writes. Network shares know no leases, and
    another account's files need CAP_LEASE: there nobody can tell, and other signs must do.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # Whoever opens the file in this instant breaks the lease: by default a deadly signal.
        fcntl.fcntl(descriptor, _F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False
