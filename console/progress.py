"""Progress while the system runs: a live picture on a terminal, JSON lines elsewhere."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.texts import STAGES, STANDINGS
from ingest.document import DEFAULT_TENANT
from ingest.errors import LedgerUnavailable
from ingest.ledger.extracts import is_moving, newest_rows

if TYPE_CHECKING:
    from ingest.ledger import Ledger
    from ingest.settings import Settings

_LOOK_SECONDS = 0.7
_SHOWN = 12
_WATCHED = 100  #: arrivals
_IDLE_LOOKS = 6  #: this many quiet looks in a row count as idle


class Follower:
    """Looks into the ledger and tells what changed since the last look."""

    def __init__(self, ledger: Ledger) -> None:
        """Start with nothing seen."""
        self._ledger = ledger
        self._seen: dict[str, tuple[str, str]] = {}
        self.recent: deque[dict[str, Any]] = deque(maxlen=_SHOWN)
        self.rows: dict[str, dict[str, Any]] = {}
        self.ledger_answers = True
        self._moving = True

    def look(self) -> list[dict[str, Any]]:
        """Return the rows whose stage or standing changed.

        Only the newest arrivals are looked at, so that a large archive behind them does not
        slow the picture down.
        """
        try:
            with self._ledger.reading() as connection:
                rows = list(newest_rows(connection, _WATCHED))
                self._moving = is_moving(connection)
        except LedgerUnavailable:
            self.ledger_answers = False
            return []
        self.ledger_answers = True
        changed = []
        for row in rows:
            key = str(row["id"] or row["source_name"])
            state = (str(row["stage"]), str(row["standing"]))
            if self._seen.get(key) != state:
                self._seen[key] = state
                changed.append(row)
            self.rows[key] = row
        for row in changed:
            self.recent.append(row)
        return changed

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left that the machine would do by itself."""
        return not self._moving


def follow(
    ledger: Ledger,
    settings: Settings,
    stop: threading.Event,
    *,
    as_json: bool,
    until_idle: bool,
) -> None:
    """Show progress until `stop` is set, or with `until_idle` until nothing moves any more."""
    follower = Follower(ledger)
    if as_json or not sys.stdout.isatty():
        _follow_lines(follower, settings, stop, as_json=as_json, until_idle=until_idle)
    else:
        _follow_live(follower, settings, stop, until_idle=until_idle)


def _follow_lines(
    follower: Follower,
    settings: Settings,
    stop: threading.Event,
    *,
    as_json: bool,
    until_idle: bool,
) -> None:
    announced, quiet = False, 0
    while not stop.is_set():
        changed = follower.look()
        for row in changed:
            print(json.dumps(row, ensure_ascii=False) if as_json else _line(row), flush=True)  # noqa: T201 - the product's output
        quiet = 0 if changed or not follower.is_settled else quiet + 1
        if quiet >= _IDLE_LOOKS and follower.rows and not announced:
            announced = True
            if not as_json:
                for line in _closing(follower, settings):
                    print(line, flush=True)  # noqa: T201 - the product's output
        if until_idle and quiet >= _IDLE_LOOKS:
            return
        stop.wait(_LOOK_SECONDS)


def _follow_live(
    follower: Follower, settings: Settings, stop: threading.Event, *, until_idle: bool
) -> None:
    quiet = 0
    console = Console()
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while not stop.is_set():
            changed = follower.look()
            quiet = 0 if changed or not follower.is_settled else quiet + 1
            live.update(_picture(follower, settings, idle=quiet >= _IDLE_LOOKS))
            if until_idle and quiet >= _IDLE_LOOKS:
                return
            stop.wait(_LOOK_SECONDS)


def _picture(follower: Follower, settings: Settings, *, idle: bool) -> Group:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name in ("Datei", "Dokument", "Stand", "", "Seiten", "Hinweis"):
        table.add_column(name, overflow="ellipsis", no_wrap=name != "Hinweis")
    newest = list(follower.rows.values())[-_SHOWN:]
    for row in newest:
        standing = str(row.get("standing") or "")
        table.add_row(
            escape(str(row.get("source_name") or "")),
            str(row.get("id") or "")[-8:] if row["message_type"] == "document" else "Stapel",
            STAGES.get(str(row.get("stage")), str(row.get("stage") or "")),
            STANDINGS.get(standing, standing),
            _pages(row),
            escape(str(row.get("reason") or row.get("department") or "")),
        )
    lines: list[Any] = [Panel(table, title="Scanstraße", border_style="blue")]
    if not follower.ledger_answers:
        lines.append(Text("Das Ledger antwortet nicht; es wird weiter versucht.", style="red"))
    elif idle:
        lines.extend(Text(line) for line in _closing(follower, settings))
    else:
        lines.append(Text("Verarbeitung läuft …"))
    lines.append(Text("Ende mit Strg-C.", style="dim"))
    return Group(*lines)


def _pages(row: dict[str, Any]) -> str:
    progress = row.get("progress") or {}
    if progress.get("pages"):
        return f"{progress.get('pages_done', 0)}/{progress['pages']}"
    return "" if row.get("pages") is None else str(row["pages"])


def _closing(follower: Follower, settings: Settings) -> list[str]:
    documents = [row for row in follower.rows.values() if row["message_type"] == "document"]
    delivered = [row for row in documents if row["stage"] == "delivered"]
    person = [r for r in follower.rows.values() if r["standing"] in {"held", "quarantined"}]
    outbox = settings.outbox(DEFAULT_TENANT)
    lines = [f"{len(delivered)} Dokumente zugestellt nach {outbox}"]
    lines += [f"  {row.get('department') or '?'}: {_where(row)}" for row in delivered[-_SHOWN:]]
    if person:
        lines.append(f"{len(person)} Klärfälle: scanstrasse list zeigt Grund und Abhilfe.")
    lines.append(f"Neue Dateien einfach nach {settings.inbox(DEFAULT_TENANT)} legen.")
    return lines


def _where(row: dict[str, Any]) -> str:
    outputs = row.get("outputs") or {}
    for name in ("pdf", "original"):
        path = (outputs.get(name) or {}).get("path")
        if path:
            return str(path)
    return str(row["id"])


def _line(row: dict[str, Any]) -> str:
    stage, standing = str(row.get("stage") or ""), str(row.get("standing") or "")
    reason = f" – {row['reason']}" if row.get("reason") else ""
    return (
        f"{row.get('source_name') or row['id']}: {STAGES.get(stage, stage)}"
        f" ({STANDINGS.get(standing, standing)}){reason}"
    )
