"""A stack that is still scanned, on a terminal: what is known of it, page by page, what comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape

from console.texts import STAGES, local_time

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIDES: Final = {"front": "Vorderseite", "back": "Rückseite"}
_NOBODY: Final = "nicht erfasst"


def print_stack(record: Mapping[str, Any], zone: str) -> None:
    """Print a stack as `ingest.ledger.openstacks.described` says it; times in `zone`."""
    console = Console(highlight=False)
    console.rule(f"Stapel {record['id']}")
    for label, value in _lines(record, zone):
        console.print(f"[bold]{label}[/]: {escape(value)}", soft_wrap=True)
    for line in _pages(record["stack_pages"], zone):
        console.print(escape(line), soft_wrap=True)
    id_ = record["id"]
    console.print(
        f"Weiter scannen: »scan --append {id_}«; abschließen: »scan --close {id_}«; verwerfen: "
        f"»erase {id_}«.",
        soft_wrap=True,
    )


def _lines(record: Mapping[str, Any], zone: str) -> Iterator[tuple[str, str]]:
    said = record["said"]
    yield "Stand", f"{STAGES[str(record['stage'])]}. {record['reason']}"
    yield "Profil", str(record["profile"])
    yield "Gerät", str(record["device"])
    yield "Arbeitsplatz", str(record["station"] or "dieser Server")
    yield "Kürzel", str(record["operator"] or _NOBODY)
    yield "Begonnen", local_time(said.get("opened_at"), zone)
    if received := record["received_at"]:
        yield "Eingangsdatum", local_time(received, zone)
    for label, key in (("Papier", "storage_place"), ("Gezählte Blätter", "expected_sheets")):
        if said.get(key) is not None:
            yield label, str(said[key])
    for anomaly in record["anomalies"]:
        yield "Auffällig", str(anomaly["text"])


def _pages(pages: Sequence[Mapping[str, Any]], zone: str) -> Iterator[str]:
    for page in pages:
        side = _SIDES.get(str(page["side"]), str(page["side"]))
        again = f", {page['attempt']}. Versuch" if page["attempt"] > 1 else ""
        when = local_time(page["finished_at"], zone)
        yield (
            f"  Seite {page['number']}: Blatt {page['sheet']}, {side}{again}, {when}, "
            f"{page['sha256'][:12]}…"
        )
