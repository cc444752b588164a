"""Tables on a terminal: arrivals and documents, one record's history, the evening account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from console.texts import KINDS, STAGES, STANDINGS, local_time

if TYPE_CHECKING:
    from ingest.ledger.account import DayAccount

_URGENT = {"held": "yellow", "quarantined": "red", "deferred": "magenta", "unaccepted": "yellow"}


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print one line for each arrival, document and file that was not accepted."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Art", "ID", "Datei", "Seiten", "Stand", "", "Grund"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)


def _cells(row: Mapping[str, Any]) -> list[str]:
    standing = str(row.get("standing") or "unaccepted")
    colour = _URGENT.get(standing)
    word = STANDINGS.get(standing, standing)
    pages = row.get("pages")
    return [
        KINDS.get(str(row["message_type"]), str(row["message_type"])),
        str(row.get("id") or "")[-12:],
        escape(str(row.get("source_name") or "")),
        "" if pages is None else str(pages),
        STAGES.get(str(row.get("stage")), str(row.get("stage") or "")),
        f"[{colour}]{word}[/]" if colour else word,
        escape(str(row.get("reason") or "")),
    ]


def print_record(record: Mapping[str, Any], zone: str) -> None:
    """Print everything about one batch or document, its events last."""
    console = Console()
    console.rule(f"{KINDS.get(str(record['message_type']), 'Vorgang')} {record['id']}")
    hidden = {"events", "message_type", "id"}
    for name, value in record.items():
        if name not in hidden and value not in (None, "", [], {}):
            console.print(f"[bold]{name}[/]: {escape(str(value))}", soft_wrap=True)
    for event in record.get("events", []):
        actor = event.get("actor") or ""
        moment = local_time(event.get("at"), zone)
        console.print(f"{moment}  {event['kind']}  {escape(str(actor))}")


def print_counts(counts: Mapping[str, Any]) -> None:
    """Print how many batches and documents stand where."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Art", "Stand", "", "Anzahl"):
        table.add_column(name)
    for kind in ("batch", "document"):
        for entry in counts.get(kind, []):
            stage, standing = str(entry["stage"]), str(entry["standing"])
            table.add_row(
                KINDS[kind],
                STAGES.get(stage, stage),
                STANDINGS.get(standing, standing),
                str(entry["count"]),
            )
    Console().print(table)


def print_account(account: DayAccount, in_inbox: list[str]) -> None:
    """Print the evening account: counted = delivered + open, and what is open by name."""
    console = Console()
    console.rule(f"Abendabrechnung {account.day:%d.%m.%Y}, Mandant {account.tenant}")
    for label, value in account.lines():
        console.print(f"{label:<44}{value:>8}")
    for entry in account.open:
        reason = entry.get("reason") or STANDINGS.get(str(entry["standing"]), "")
        console.print(
            f"  offen: {entry['id']}  {escape(str(entry['source_name']))} – {escape(str(reason))}"
        )
    for name in in_inbox:
        console.print(f"  noch im Eingang: {escape(name)}")
    verdict = "[green]stimmt[/]" if account.difference == 0 else "[red]STIMMT NICHT[/]"
    console.print(f"Differenz: {account.difference}  {verdict}")
