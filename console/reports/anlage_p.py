"""The auditor's list: each measure of the TR with what the system can show for it.

Sixty items, one for each measure of BSI TR-03138 V1.5 that this project knows of; the wording
of Anlage P is not here, so it is never quoted, and people compare the list with their own
copy. An item is answered by the system, partly, or by people alone ("organisatorisch").
"""

from __future__ import annotations

import hashlib
import html
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import profiles
from console.annex import technical_annex
from ingest.ledger import people, procedures, pseudonyms, reading, releasing
from ingest.ledger.figures import audit_counts

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ingest.settings import Settings

SYSTEM: Final = "System"
PARTLY: Final = "teils organisatorisch"
PEOPLE: Final = "organisatorisch"
NOTICE: Final = (
    "Punkte nach den Maßnahmen der BSI TR-03138 V1.5, soweit sie hier bekannt sind; Zählung und "
    "Worte sind eigene und mit der Anlage P abzugleichen. Scanstraße unterstützt einen Prozess "
    "nach TR-03138 V1.5; ob ein Verfahren sie erfüllt, stellt eine Prüfung fest, nicht dieser "
    "Bericht."
)
_FILE: Final = Path(__file__).with_name("anlage_p.toml")
_LABELS: Final = {
    "written_procedures": "freigegebene Verfahrensdokumentationen",
    "annexes": "freigegebene technische Anlagen",
    "annex_current": "freigegebene Anlage entspricht der Konfiguration",
    "classes_with_need": "Klassen mit Schutzbedarf",
    "negative_list": "Klassen auf der Negativliste",
    "persons_with_roles": "Personen mit Rolle",
    "persons_named": "Personen mit hinterlegtem Namen",
    "held": "offene Klärfälle",
    "authorities": "Zeitstempeldienste",
    "token": "Schlüssel der Organisation eingerichtet",
    "algorithms": "Verfahren mit Ablaufdatum",
    "batches": "Einlieferungen",
    "documents": "Dokumente",
    "replacing_documents": "Dokumente ersetzender Klassen",
    "received_date_missing": "Einlieferungen ohne Eingangsdatum",
    "counted_batches": "Einlieferungen mit Blattzahl",
    "approved_profiles": "freigegebene Fassungen",
    "tested_profiles": "Fassungen mit Test",
    "draft_profiles": "Entwürfe",
    "withdrawn_profiles": "zurückgezogene Fassungen",
    "to_review": "Dokumente, die jemand ansehen soll",
    "chains": "Ereignisketten",
    "anchored_days": "verankerte Tage",
    "evidence_timestamps": "Zeitstempel der Beweiserhaltung",
    "erased_documents": "gelöschte Dokumente",
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One measure.

    Attributes:
        clause: Number of the measure in the TR.
        title: Our own short description.
        answered_by: `System`, `teils organisatorisch` or `organisatorisch`.
        evidence: Commands and documents that show it.
        figures: What was counted, by German label.
    """

    number: int
    clause: str
    title: str
    answered_by: str
    evidence: tuple[str, ...]
    figures: dict[str, int | bool]

    def record(self) -> dict[str, Any]:
        """Return the item as JSON object."""
        return asdict(self)


def items(settings: Settings, connection: sa.Connection, tenant: str) -> list[Item]:
    """Return the sixty items with what is so now.

    Raises:
        ProfileInvalid: A profile's file is wrong.
    """
    counted = _counted(settings, connection, tenant)
    told = tomllib.loads(_FILE.read_text("utf-8"))["item"]
    return [_item(number, one, counted) for number, one in enumerate(told, 1)]


def page(found: Sequence[Item], organisation: str) -> str:
    """Return the report as one HTML page without anything from outside."""
    rows = "\n".join(
        f"<tr><td>{one.number}</td><td>{one.clause}</td><td>{html.escape(one.title)}</td>"
        f"<td>{one.answered_by}</td><td>{'<br>'.join(map(html.escape, shown(one)))}</td></tr>"
        for one in found
    )
    return f"""<!DOCTYPE html>
<html lang="de"><head><meta charset="utf-8"><title>Prüfliste nach TR-03138 V1.5</title>
<style>body{{font-family:sans-serif}}table{{border-collapse:collapse}}
td,th{{border:1px solid #888;padding:4px;vertical-align:top;text-align:left}}</style></head>
<body><h1>Prüfliste nach TR-03138 V1.5: {html.escape(organisation)}</h1>
<p>{html.escape(NOTICE)}</p>
<table><thead><tr><th>Nr.</th><th>Maßnahme</th><th>Gegenstand</th><th>beantwortet</th>
<th>Nachweis</th></tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def shown(one: Item) -> list[str]:
    """Return evidence and figures of an item as lines for people."""
    figures = [f"{label}: {_said(value)}" for label, value in one.figures.items()]
    return [*one.evidence, *figures] or [PEOPLE]


def _said(value: int | bool) -> str:
    if isinstance(value, bool):
        return "ja" if value else "nein"
    return str(value)


def _item(number: int, told: dict[str, Any], counted: dict[str, int | bool]) -> Item:
    evidence = tuple(told.get("evidence", ()))
    partly = told.get("organisational", False)
    answered = PARTLY if partly and evidence else SYSTEM if evidence else PEOPLE
    figures = {_LABELS[name]: counted[name] for name in told.get("figures", ())}
    return Item(
        number=number,
        clause=told["clause"],
        title=told["title"],
        answered_by=answered,
        evidence=evidence,
        figures=figures,
    )


def _counted(settings: Settings, connection: sa.Connection, tenant: str) -> dict[str, int | bool]:
    negative = ("not_scanned", "only_after_release")
    loaded = [
        profiles.load(name, settings.profiles).profile for name in profiles.names(settings.profiles)
    ]
    known = people.listing(connection, tenant)
    standing = reading.counts(connection, tenant)
    return {
        "classes_with_need": sum(one.protection is not None for one in loaded),
        "negative_list": sum(one.treatment in negative for one in loaded),
        "persons_with_roles": len({one["person"] for one in known if one["roles"]}),
        "persons_named": len(pseudonyms.named_persons(connection, tenant)),
        "authorities": len(settings.sealing.authorities),
        "token": settings.sealing.has_organisation,
        "algorithms": len(settings.evidence.algorithm_ends),
        "to_review": standing["to_review"],
        "held": sum(
            row["number"]
            for kind in ("batches", "documents")
            for row in standing[kind]
            if row["standing"] == "held"
        ),
        **_releases(settings, connection, tenant),
        **audit_counts(connection, tenant),
    }


def _releases(settings: Settings, connection: sa.Connection, tenant: str) -> dict[str, int | bool]:
    versions = releasing.versions(connection, tenant)
    texts = procedures.texts(connection, tenant)
    annex = technical_annex(settings, connection, tenant).encode("utf-8")
    in_force = procedures.annex(connection, tenant).get("annex_sha256")
    stages = [row.stage for row in versions]
    return {
        "approved_profiles": stages.count("approved"),
        "draft_profiles": stages.count("draft"),
        "withdrawn_profiles": stages.count("withdrawn"),
        "tested_profiles": sum(row.tested_at is not None for row in versions),
        "written_procedures": sum(row.kind == "written" for row in texts),
        "annexes": sum(row.kind == "annex" for row in texts),
        "annex_current": in_force == hashlib.sha256(annex).hexdigest(),
    }
