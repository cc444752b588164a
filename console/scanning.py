"""The picture of a scan: sheets counted as they come, on a terminal or as JSON lines."""

from __future__ import annotations

import json
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from scanners.stack.texts import LASTING, sentence

if TYPE_CHECKING:
    from scanners.stack.run import Event
    from scanners.stack.transmission import Carriage


class ScanPicture:
    """Shows one scan; its methods may be called from any thread."""

    def __init__(self, device: str, expected: int | None, *, as_json: bool) -> None:
        """Take what is known before the device is opened."""
        self._device, self._expected = device, expected
        self._as_json = as_json
        self._lock = threading.Lock()
        self._now: dict[str, Any] = {"pages": 0, "sheets": 0, "carried": 0}
        self._last = ""
        #: Sheets that were scanned again were not those that should be.
        self.is_uneven = False
        self._live: Live | None = None
        if not as_json and sys.stdout.isatty():
            self._live = Live(self._table(), console=Console(), refresh_per_second=8)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last picture standing."""
        if self._live is not None:
            self._live.update(self._table())
            self._live.stop()

    @property
    def counted(self) -> dict[str, Any]:
        """Pages and sheets, and how many pages the house has."""
        return dict(self._now)

    def tell(self, event: Event) -> None:
        """Show what the device did."""
        said = {**event.said}
        if event.kind == "opened":
            device = said.pop("device")
            name = f"{device.vendor} {device.model}".strip()
            self._device = name or self._device or device.id
            said["device"] = self._device
        with self._lock:
            if event.kind not in ("progress", "opened", "lease_lost"):
                self._now |= {"pages": event.pages, "sheets": event.sheets}
            self._last = sentence(event.kind, said) or self._last
            self.is_uneven |= event.kind in ("short", "surplus")
            self._show({"message_type": "scan", "event": event.kind, **self._now, **said})

    def carried(self, carriage: Carriage) -> None:
        """Show what the house took."""
        with self._lock:
            self._now["carried"] = carriage.taken or self._now["carried"]
            if carriage.operator_text:
                self._last = carriage.operator_text
            self._show(
                {
                    "message_type": "scan",
                    "event": f"house_{carriage.kind}",
                    "carried": carriage.taken,
                    "operator_text": carriage.operator_text,
                }
            )

    def _show(self, record: dict[str, Any]) -> None:
        if self._live is not None:
            self._live.update(self._table())
        elif self._as_json:
            if record["event"] != "progress":
                _print(json.dumps(record, ensure_ascii=False, default=str))
        elif record["event"] in LASTING | {"page"}:
            _print(self._last)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        counted = str(self._now["sheets"])
        if self._expected is not None:
            counted += f" von {self._expected}"
        table.add_row("Gerät", self._device)
        table.add_row("Blätter", Text(counted, style="bold"))
        table.add_row("Seiten", f"{self._now['pages']}, davon angenommen {self._now['carried']}")
        table.add_row("", Text(self._last, style="dim"))
        return table


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the product's output
