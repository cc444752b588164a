"""Tables on a terminal: arrivals and documents, one record's history, the evening account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from console.texts import KINDS, STAGES, STANDINGS, local_time

if TYPE_CHECKING:
    from ingest.ledger.account import DayAccount

_NAME_WIDTH = 32
_URGENT = {"held": "yellow", "quarantined": "red", "deferred": "magenta", "unaccepted": "yellow"}


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print one line for each arrival and document, the reason of what is stuck below it."""
    console = Console(highlight=False)
    heading = f"{'Datei / Dokument':<32}  {'ID':<36}  {'Seiten':>6}  Stand"
    console.print(f"[bold]{heading}[/]", soft_wrap=True)
    for row in rows:
        console.print(_line(row), soft_wrap=True)
        if row.get("reason"):
            console.print(f"      [dim]{escape(str(row['reason']))}[/]", soft_wrap=True)
        if row.get("review_open"):
            console.print(f"      [dim]{_review(row['review'])}[/]", soft_wrap=True)


def _line(row: Mapping[str, Any]) -> str:
    standing = str(row.get("standing") or "unaccepted")
    colour = _URGENT.get(standing)
    word = STANDINGS.get(standing, standing)
    name = str(row.get("source_name") or row["message_type"])
    if row["message_type"] == "document":
        revision = f", Fassung {row['revision']}" if row.get("revision", 1) > 1 else ""
        where = row.get("department") or "noch offen"
        name = f"  Dokument {row.get('ordinal', '')}{revision} → {where}"
    pages = "" if row.get("pages") is None else str(row["pages"])
    stage = STAGES.get(str(row.get("stage")), "")
    state = f"{stage}, {word}" if stage else word
    shown = f"[{colour}]{state}[/]" if colour else state
    identifier = str(row.get("id") or "")
    return f"{escape(_fitted(name)):<32}  {identifier:<36}  {pages:>6}  {shown}"


def _review(reasons: Iterable[Mapping[str, Any]]) -> str:
    """Say why somebody has to look at a document, and at which pages."""
    told = [
        f"Abbild {', '.join(map(str, reason['pages']))}: {reason['text']}"
        if reason.get("pages")
        else str(reason["text"])
        for reason in reasons
    ]
    return escape(f"zu prüfen: {'; '.join(told)}")


def _fitted(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"


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
    for kind, plural in (("batch", "batches"), ("document", "documents")):
        for entry in counts.get(plural, []):
            stage, standing = str(entry["stage"]), str(entry["standing"])
            table.add_row(
                KINDS[kind],
                STAGES.get(stage, stage),
                STANDINGS.get(standing, standing),
                str(entry["number"]),
            )
    console = Console(highlight=False)
    console.print(table)
    for entry in counts.get("review", []):
        name = escape(_fitted(str(entry["source_name"])))
        line = f"  Dokument {entry['id']}  {name}  {_review(entry['reasons'])}"
        console.print(line, soft_wrap=True)
    for entry in counts.get("scanned_here", []):
        console.print(f"  nicht angenommen: {escape(str(entry['reason']))}", soft_wrap=True)


def print_account(
    account: DayAccount, in_inbox: Sequence[str], scanned: Sequence[str] = ()
) -> None:
    """Print the evening account: counted = delivered + open, and what is open by name.

    Args:
        account: As the ledger makes it.
        in_inbox: Names of files that are not accepted.
        scanned: German sentences on stacks that were scanned here and are not accepted.
    """
    console = Console()
    console.rule(f"Abendabrechnung {account.day:%d.%m.%Y}, Mandant {account.tenant}")
    for label, value in _account_lines(account):
        console.print(f"{label:<44}{value:>8}")
    for entry in account.open:
        reason = entry.reason or STANDINGS.get(entry.standing, entry.standing)
        name = escape(entry.source_name or "")
        console.print(f"  offen: {KINDS[entry.kind]} {entry.id}  {name} – {escape(reason)}")
    for place in account.misplaced:
        console.print(f"  ohne Platz: {escape(place)}")
    for name in in_inbox:
        console.print(f"  noch im Eingang: {escape(name)}")
    for text in scanned:
        console.print(f"  nicht angenommen: {escape(text)}", soft_wrap=True)
    for equation in _equations(account):
        console.print(equation)
    verdict = "[green]stimmt[/]" if account.difference == 0 else "[red]STIMMT NICHT[/]"
    console.print(f"Differenz: {account.difference}  {verdict}")


def _equations(account: DayAccount) -> list[str]:
    """Return what was counted and where it is as sums that anybody can check."""
    files = (account.files_delivered, account.files_open, account.files_ended)
    pages = (
        account.pages_delivered,
        account.pages_open + account.pages_uncut,
        account.pages_omitted,
        account.pages_ended + account.pages_erased,
    )
    lines = [
        _equation("Dateien", account.files, files, "zugestellt + offen + beendet"),
        _equation("Seiten", account.pages, pages, "zugestellt + offen + ausgelassen + beendet"),
    ]
    if account.sheets_expected is not None:
        lines.append(
            f"Blätter: {account.sheets_expected} gezählt, dazu {account.sheets_pages} Seiten "
            f"gescannt, {account.sheets_missing} Blätter ohne Seite"
        )
    return lines


def _equation(what: str, counted: int, parts: tuple[int, ...], names: str) -> str:
    sign = "=" if counted == sum(parts) else "≠"
    return f"{what}: {counted} gezählt {sign} {' + '.join(map(str, parts))} ({names})"


def _account_lines(account: DayAccount) -> list[tuple[str, int]]:
    lines = [
        ("Einlieferungen", account.batches),
        ("Dateien gezählt", account.files),
        ("  davon zugestellt", account.files_delivered),
        ("  davon offen", account.files_open),
        ("  davon beendet", account.files_ended),
        ("Seiten gezählt", account.pages),
        ("  davon zugestellt", account.pages_delivered),
        ("  davon in offenen Dokumenten", account.pages_open),
        ("  davon in noch nicht getrennten Stapeln", account.pages_uncut),
        ("  davon Trennblätter und Leerseiten", account.pages_omitted),
        ("  davon zurückgewiesen oder ersetzt", account.pages_ended),
        ("  davon gelöscht", account.pages_erased),
        ("Dokumente", account.documents),
        ("  davon zugestellt", account.documents_delivered),
        ("  davon gelöscht", account.documents_erased),
    ]
    if account.sheets_expected is not None:
        lines.insert(5, ("Blätter laut Zählung der Person", account.sheets_expected))
    return lines
