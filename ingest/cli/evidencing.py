"""Evidence records on the command line: secure and renew, export, verify."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.texts import local_time
from ingest import clock
from ingest.cli.app import App, print_json, with_app
from ingest.document import Facts
from ingest.errors import UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from workers.evidence.verification import Link

#: What a record is over, of all that a document has.
_SECURED = ("original", "note", "pdf")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt.")
@with_app
def preserve(app: App, *, as_json: bool) -> int:
    """Sichert jetzt alle wartenden Dokumente mit einem Zeitstempel und erneuert fällige."""
    from workers.evidence.preservation import Preservation

    with Preservation(app.settings, app.ledger) as preservation:
        roots = preservation.attest_all()
        done = preservation.once()
    if as_json:
        secured: Facts = {
            "documents": done.documents,
            "renewed": done.renewed,
            "roots": roots,
        }
        print_json({"message_type": "preservation", **secured})
    else:
        click.echo(
            f"Gesichert: {done.documents} Dokumente. Erneuerte Zeitstempel: {done.renewed}. "
            f"Eingänge, Erfassungen und Tageswurzeln mit Zeitstempel: {roots}."
        )
    return 0


def write_record(app: App, identifier: str, output: Path) -> None:
    """Write the evidence record of a document to `output`, which must not exist.

    Raises:
        UsageError: There is no such document, or it has no evidence; nothing was written.
    """
    from ingest.ledger.showing import find, only_document
    from workers.evidence.assembly import records

    with app.ledger.reading() as connection:
        document = only_document(connection, find(connection, identifier)).id
        found = [encoded for _, _, encoded in records(connection, [document])]
    if not found:
        text = (
            f"Dokument {document} hat (noch) keinen Beweisnachweis. Gesichert wird, was zugestellt "
            "ist, in regelmäßigen Abständen oder mit „preserve“; dazu braucht es sealing.tsa_urls."
        )
        raise UsageError(f"document {document} has no evidence", operator_text=text)
    with output.open("xb") as target:
        target.write(found[0])


def statements(app: App, record: Facts) -> Iterator[tuple[bool, bool, str]]:
    """Yield what the evidence of a document proves: passed, required, German text.

    Without an authority and without evidence nothing is said, because nothing is claimed.
    """
    from workers.evidence.assembly import records
    from workers.evidence.verification import NotProved, prove

    with app.ledger.reading() as connection:
        found = [encoded for _, _, encoded in records(connection, [str(record["id"])])]
    if not found:
        if app.settings.sealing.authorities and app.settings.evidence.every != "off":
            yield False, False, "noch nicht gesichert"
        return
    outputs = record.get("outputs") or {}
    digests = [bytes.fromhex(outputs[name]["sha256"]) for name in _SECURED if name in outputs]
    try:
        links = prove(found[0], digests)
    except NotProved as error:
        yield False, True, f"Der Nachweis führt nicht von diesen Dateien zum Zeitstempel: {error}"
        return
    for number, link in enumerate(links, 1):
        yield _of_link(app, link, number)


def _of_link(app: App, link: Link, number: int) -> tuple[bool, bool, str]:
    from workers.sealing.timestamps import load_roots
    from workers.sealing.tokens import doubt

    roots = load_roots(app.settings.sealing.tsa_roots)
    when = local_time(link.said.stamped_at.isoformat(), app.settings.house.zone)
    reason = doubt(link.encoded, link.said.imprint, roots, link.confirmed_at or clock.now())
    if reason is not None:
        return False, True, f"Zeitstempel {number} vom {when} ist nicht gültig: {reason}"
    issuer = "" if roots else "; Aussteller nicht geprüft (keine Wurzel angegeben)"
    what = "bestand spätestens" if number == 1 else "Zeitstempel erneuert"
    return True, True, f"{what} {when} (Zeitstempel von {link.said.authority}){issuer}"


def of_ledger(connection: sa.Connection, tenant: str) -> Iterator[tuple[str, bool, str]]:
    """Yield where evidence is not what was stamped, and how much was computed again."""
    from ingest.ledger.evidence import newest
    from workers.evidence.assembly import faults

    if not newest(connection, tenant):
        return
    broken = 0
    for concerned, reason in faults(connection, tenant):
        broken += 1
        yield f"Nachweis, {concerned}", False, reason
    text = (
        "unversehrt, alle Hashbäume nachgerechnet" if not broken else f"{broken} Stellen verletzt"
    )
    yield f"Nachweise {tenant}", not broken, text


def standing(app: App, connection: sa.Connection, tenant: str) -> Facts:
    """Return what waits for evidence, what must be renewed when, and when algorithms end."""
    from ingest.ledger.evidence import account

    settings = app.settings
    active = bool(settings.sealing.authorities) and settings.evidence.every != "off"
    ends = {name: day.isoformat() for name, day in settings.evidence.algorithm_ends.items()}
    return {"active": active, **account(connection, tenant), "algorithm_ends": ends}


def print_standing(found: Facts, zone: str) -> None:
    """Print `standing` for people; nothing where nothing is secured and nothing is to be."""
    if not found["active"] and not found["secured"]:
        return
    active = "" if found["active"] else " (abgeschaltet oder ohne Zeitstempeldienst)"
    click.echo(
        f"Beweissicherung{active}: {found['secured']} Dokumente gesichert, "
        f"{found['waiting']} warten."
    )
    if found["renew_before"]:
        late = _passed(found["renew_before"])
        click.echo(
            f"  {'ÜBERFÄLLIG: ' if late else ''}zu erneuern vor "
            f"{local_time(found['renew_before'], zone)}, erstes Zertifikat endet "
            f"{local_time(found['certificate_ends_at'], zone)}"
        )
    ends: dict[str, Any] = found["algorithm_ends"]
    listed = ", ".join(f"{name} {day}" for name, day in sorted(ends.items()))
    click.echo(f"  Ende der Verfahren nach Festlegung des Hauses: {listed}")


def _passed(moment: str) -> bool:
    return dt.datetime.fromisoformat(moment) <= clock.now()
