"""What people or programs see while a stack is scanned and carried."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from scanners.stack.run import Event
from scanners.stack.texts import LASTING, sentence
from scanners.stack.transmission import Carriage

_MEGABYTE: Final = 1_000_000
#: To the beginning of the line, and clear it; not every console of Windows knows the short way.
_AGAIN: Final = f"\r{' ' * 79}\r" if os.name == "nt" else "\r\x1b[K"


class Picture:
    """Lines on standard output; safe for several threads.

    A terminal gets one line that changes, and below it what lasts. With JSON each thing that
    happens is one object a line and nothing else is written.
    """

    def __init__(self, *, as_json: bool, out: TextIO | None = None) -> None:
        """Write to `out`, or else to standard output."""
        # Windows gives a program without a console no standard output.
        self._out = out or sys.stdout or _nowhere()
        self._as_json = as_json
        self._live = not as_json and self._out.isatty()
        self._lock = threading.Lock()
        self._pages = self._sheets = self._carried = 0
        self._last = ""

    def tell(self, event: Event) -> None:
        """Show what the device did."""
        said = dict(event.said)
        if event.kind == "opened":
            device = said.pop("device")
            said["device"] = f"{device.vendor} {device.model}".strip() or device.id
        with self._lock:
            if event.kind not in {"progress", "opened", "lease_lost"}:
                self._pages, self._sheets = event.pages, event.sheets
            counted = {"pages": self._pages, "sheets": self._sheets}
            text = sentence(event.kind, said)
            self._show(event.kind, text, {**counted, **said})

    def carried(self, carriage: Carriage) -> None:
        """Show what the house took."""
        with self._lock:
            if carriage.kind == "page":
                self._carried = carriage.taken
            said = {"key": carriage.key, "carried": carriage.taken}
            kind = f"house_{carriage.kind}"
            self._show(kind, carriage.operator_text, {**said, "text": carriage.operator_text})

    def say(self, text: str, **said: Any) -> None:
        """Show a line that lasts, or with JSON the object."""
        with self._lock:
            if self._as_json:
                self._write(json.dumps(said, ensure_ascii=False, default=str) + "\n")
            else:
                self._write((_AGAIN if self._live else "") + text + "\n")

    def _show(self, kind: str, text: str, said: Mapping[str, Any]) -> None:
        if self._as_json:
            if kind != "progress":
                record = {"message_type": "scan", "event": kind, **said}
                self._write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
            return
        lasts = kind in LASTING or (kind.startswith("house_") and bool(text))
        if self._live:
            if lasts:
                self._write(f"{_AGAIN}{text}\n")
            else:
                self._last = text or self._last
            self._write(
                f"{_AGAIN}Blätter {self._sheets} · Seiten {self._pages}, davon beim Haus "
                f"{self._carried} · {self._last}"
            )
        elif text and (lasts or kind == "page"):
            self._write(text + "\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
