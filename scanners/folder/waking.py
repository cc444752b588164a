"""Waking the watch folder early. Events are hints: a periodic listing is the truth.

The observer's thread stays alive when the folder under it is removed, so it is watched
itself: a dead emitter, or another folder at the same path, starts a new observer.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import structlog
from typing_extensions import override
from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from scanners.folder.naming import CLAIMED

log = structlog.get_logger(__name__)
#: What somebody else's work looks like; opening and reading (our own) is not among it.
_EVENTS: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]


class _Alarm(FileSystemEventHandler):
    def __init__(self, wake: threading.Event, claimed: str) -> None:
        self._wake = wake
        self._claimed = claimed

    @override
    def on_any_event(self, event: FileSystemEvent) -> None:
        path = str(event.dest_path or event.src_path)
        if not path.startswith(self._claimed):
            self._wake.set()


class Waking:
    """Sets `wake` when something happens in `folder`."""

    def __init__(
        self, folder: Path, wake: threading.Event, *, polling: bool, seconds: float
    ) -> None:
        """Watch by listing every `seconds` when `polling`: shares deliver no events."""
        self._folder = folder
        self._wake = wake
        self._polling = polling
        self._seconds = seconds
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None

    def ensure(self) -> bool:
        """Start or restart the observer where needed; True if it was (re)started."""
        try:
            status = self._folder.stat()
        except OSError:
            self.stop()
            return False
        identity = status.st_dev, status.st_ino
        if self._lives() and identity == self._identity:
            return False
        self.stop()
        try:
            self._start()
        except (OSError, RuntimeError) as error:
            log.warning("no_events", folder=str(self._folder), error=str(error))
            self._observer = None
            return False
        self._identity = identity
        self._wake.set()
        return True

    def stop(self) -> None:
        """Stop the observer, if there is one."""
        observer, self._observer = self._observer, None
        if observer is not None and observer.is_alive():
            observer.stop()
            observer.join(5.0)

    def _lives(self) -> bool:
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and bool(observer.emitters)
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def _start(self) -> None:
        observer: BaseObserver
        observer = PollingObserver(timeout=self._seconds) if self._polling else Observer()
        alarm = _Alarm(self._wake, str(self._folder / CLAIMED))
        observer.schedule(alarm, str(self._folder), recursive=True, event_filter=_EVENTS)
        observer.daemon = True
        observer.start()
        self._observer = observer
