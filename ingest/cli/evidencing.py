"""Evidence records on the command line: secure and renew, export, verify."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from console.texts import local_time
from ingest import clock
from ingest.cli import counting
from ingest.cli.app import App, print_json, with_app
from ingest.document import Facts
from ingest.errors import DigestMismatch, StoreUnavailable, UsageError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from workers.evidence.verification import Link, Rehash

_MOST_BYTES: Final = 16 * 1024 * 1024
#: A renewal may take so long, because one that fails is tried again: then somebody is told.
_GRACE: Final = dt.timedelta(days=1)
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
            "rehashed": done.rehashed,
            "roots": roots,
        }
        print_json({"message_type": "preservation", **secured})
    else:
        click.echo(
            f"Gesichert: {done.documents} Dokumente. Erneuerte Zeitstempel: {done.renewed}. "
            f"Mit neuem Hashverfahren: {done.rehashed} Dokumente. "
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
    from workers.evidence.standing import lost

    try:
        with app.ledger.reading() as connection:
            found = [encoded for _, _, encoded in records(connection, [str(record["id"])])]
            number = None if found else lost(connection, str(record["tenant"]), str(record["id"]))
    except ValueError as error:
        yield False, True, f"Der Nachweis im Ledger ist beschädigt und nicht lesbar: {error}"
        return
    if number is not None:
        text = f"war unter Zeitstempel {number} gesichert; der Nachweis fehlt im Register"
        yield False, True, text
        return
    if not found:
        if app.settings.sealing.authorities and app.settings.evidence.every != "off":
            yield False, False, "noch nicht gesichert"
        return
    outputs = record.get("outputs") or {}
    digests = [bytes.fromhex(outputs[name]["sha256"]) for name in _SECURED if name in outputs]

    def rehash(algorithm: str) -> list[bytes]:
        from workers.evidence.rehashing import digests as read_again

        return read_again(app.store, str(record["tenant"]), set(digests), algorithm)

    yield from _proved(app, found[0], digests, rehash, str(record["tenant"]))


def record_of(path: Path, evidence: Path | None) -> Path | None:
    """Return the evidence record of a file: as given, else what lies beside it by name."""
    if evidence is not None:
        return evidence
    beside = (path.with_name(f"{path.name}.er"), path.with_suffix(".er"))
    return next((one for one in beside if one.is_file() and one != path), None)


def of_file(app: App, path: Path, record: Path) -> Iterator[tuple[bool, bool, str]]:
    """Yield what an evidence record proves of a file, as `statements`; no ledger is needed."""
    if record.stat().st_size > _MOST_BYTES:
        yield False, True, f"{record.name} ist zu groß für einen Beweisnachweis."
        return
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()

    def rehash(algorithm: str) -> list[bytes]:
        with path.open("rb") as stream:
            return [hashlib.file_digest(stream, algorithm).digest()]

    yield from _proved(app, record.read_bytes(), [digest], rehash)


def _proved(
    app: App, encoded: bytes, digests: list[bytes], rehash: Rehash, tenant: str | None = None
) -> Iterator[tuple[bool, bool, str]]:
    from workers.evidence.verification import NotProved, prove

    try:
        links = prove(encoded, digests, rehash)
    except (NotProved, DigestMismatch, StoreUnavailable) as error:
        yield False, True, f"Der Nachweis führt nicht von diesen Dateien zum Zeitstempel: {error}"
        return
    for number, link in enumerate(links, 1):
        yield _of_link(app, link, number)
        if tenant is not None:
            yield from _of_issuers(app, link, number, tenant)


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


def _of_issuers(app: App, link: Link, number: int, tenant: str) -> Iterator[tuple[bool, bool, str]]:
    """Yield what the issuers said of a timestamp's certificate, as far as that was kept."""
    from ingest.ledger.revocations import of_tokens
    from workers.evidence.der import NotDer, nested
    from workers.sealing.timestamps import load_roots
    from workers.sealing.tokens import Answers, revoked

    roots = load_roots(app.settings.sealing.tsa_roots)
    with app.ledger.reading() as connection:
        kept = of_tokens(connection, tenant, [link.encoded]).get(link.encoded, [])
    for one in kept if roots else ():
        when = local_time(one.gathered_at.isoformat(), app.settings.house.zone)
        try:
            chain, ocsps, crls = nested(one.content)
        except (NotDer, ValueError) as error:
            yield False, True, f"Sperrauskunft zu Zeitstempel {number} ist nicht lesbar: {error}"
            continue
        answers = Answers(chain=chain, ocsps=ocsps, crls=crls, moment=one.gathered_at)
        reason = revoked(link.encoded, answers, roots)
        text = f"Sperrauskunft zu Zeitstempel {number} vom {when}"
        text += ": nicht gesperrt" if reason is None else f" zeigt das nicht: {reason}"
        yield reason is None, True, text


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
    text = counting.violated(broken) if broken else "unversehrt, alle Hashbäume nachgerechnet"
    yield f"Nachweise {tenant}", not broken, text


def standing(app: App, connection: sa.Connection, tenant: str) -> Facts:
    """Return what waits for evidence, what must be renewed when, and when algorithms end."""
    from ingest.ledger.evidenced import account
    from workers.evidence.rehashing import ending

    settings = app.settings
    active = bool(settings.sealing.authorities) and settings.evidence.every != "off"
    ends = {name: day.isoformat() for name, day in settings.evidence.algorithm_ends.items()}
    found = account(connection, tenant, ending(settings.evidence, clock.now().date()))
    overdue = bool(found["renew_before"]) and _passed(found["renew_before"], _GRACE)
    return {"active": active, **found, "overdue": overdue, "algorithm_ends": ends}


def overdue(app: App, tenant: str) -> str | None:
    """Return in German what is wrong where timestamps should have been renewed, else None."""
    with app.ledger.reading() as connection:
        found = standing(app, connection, tenant)
    if not found["overdue"]:
        return None
    zone = app.settings.house.zone
    ends_at = found["certificate_ends_at"]
    ended = " und ist schon abgelaufen" if _passed(ends_at) else ""
    return (
        f"Mandant {tenant}: Zeitstempel waren bis {local_time(found['renew_before'], zone)} zu "
        f"erneuern; das erste Zertifikat endet {local_time(ends_at, zone)}{ended}. Bitte "
        "sealing.tsa_urls und evidence prüfen und „preserve“ ausführen."
    )


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
        late = found["overdue"]
        click.echo(
            f"  {'ÜBERFÄLLIG: ' if late else ''}zu erneuern vor "
            f"{local_time(found['renew_before'], zone)}, erstes Zertifikat endet "
            f"{local_time(found['certificate_ends_at'], zone)}"
        )
    ends: dict[str, Any] = found["algorithm_ends"]
    listed = ", ".join(f"{name} {day}" for name, day in sorted(ends.items()))
    click.echo(f"  Ende der Verfahren nach Festlegung des Hauses: {listed}")


def _passed(moment: str, grace: dt.timedelta = dt.timedelta(0)) -> bool:
    return dt.datetime.fromisoformat(moment) + grace <= clock.now()
