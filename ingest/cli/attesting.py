"""What arrived, was captured and was anchored, and since when that is proven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from console.texts import local_time
from ingest import clock
from ingest.cli import counting
from ingest.cli.app import App
from ingest.document import Facts
from ingest.errors import UsageError
from ingest.hashtree import ALGORITHM

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ingest.ledger.witnessed import Proof
    from workers.evidence.verification import Link

#: Signatures of so many of a tenant's newest timestamps are verified at once.
SIGNATURES: Final = 500
#: As `ingest.ledger.witness` calls them.
_KINDS: Final = {
    "receipt": ("Eingangsnachweis", "die Datei lag hier"),
    "capture": ("Erfassungsnachweis", "die Abbilder lagen hier"),
    "supplement": ("Nachweis des Ergänzungsvermerks", "er lag hier"),
}


def write_receipt_record(app: App, identifier: str, source: int | None, output: Path) -> None:
    """Write the evidence record of a file as it arrived to `output`, which must not exist.

    Raises:
        UsageError: No such file, it was erased, or no timestamp has come; nothing was written.
    """
    encoded = _receipt_record(app, identifier, source)
    if encoded is None:
        text = (
            f"Zu dieser Datei von {identifier} gibt es (noch) keinen Eingangsnachweis. Er entsteht "
            "mit dem nächsten Zeitstempel (oder mit „preserve“); dazu braucht es sealing.tsa_urls. "
            "Für eine Anlage gilt der Nachweis der Datei, in der sie lag."
        )
        raise UsageError(f"{identifier} has no receipt evidence", operator_text=text)
    with output.open("xb") as target:
        target.write(encoded)


def _receipt_record(app: App, identifier: str, source: int | None) -> bytes | None:
    from ingest.ledger import covering, witness
    from ingest.ledger.showing import find, locate
    from ingest.ledger.witnessed import proof
    from workers.evidence.assembly import proving

    with app.ledger.reading() as connection:
        file = locate(connection, identifier, "original", source)
        batch = find(connection, identifier).batch_id
        for unit, leaves in covering.leaves(connection, witness.RECEIPT, [batch]).items():
            files = [leaf.sha256 for leaf in leaves]
            if file.sha256 in files:
                found = proof(connection, witness.RECEIPT, unit, files.index(file.sha256))
                return None if found is None else proving(found)
    return None


def statements(app: App, record: Facts) -> Iterator[tuple[str, bool, bool, str]]:
    """Yield what receipt and capture of a batch or document prove.

    Each is a name, whether it passed, whether it had to, and German text. Without a root
    nothing is said, because nothing is claimed.
    """
    from ingest.ledger import witness
    from ingest.ledger.witness_faults import faults
    from ingest.ledger.witnessed import proof

    own = str(record["id"])
    batch = str(record.get("batch") or own)
    found: list[tuple[str, str, Proof | None]] = []
    with app.ledger.reading() as connection:
        for unit in dict.fromkeys((batch, own)):
            for concerned, reason in faults(connection, str(record["tenant"]), unit):
                yield concerned, False, True, reason
        for kind in _KINDS:
            of = own if kind == witness.SUPPLEMENT else batch
            for unit, place in _firsts(connection, kind, of, record):
                if witness.of_unit(connection, kind, unit) is None:
                    continue
                name = _KINDS[kind][0] + unit.removeprefix(of).replace("/", " Nachscan ")
                try:
                    found.append((kind, name, proof(connection, kind, unit, place)))
                except (ValueError, LookupError) as error:
                    yield name, False, True, f"beschädigt und nicht lesbar: {error}"
    for kind, name, one in found:
        yield _statement(app, kind, name, one)


def _firsts(
    connection: sa.Connection, kind: str, of: str, record: Facts
) -> Iterator[tuple[str, int]]:
    """Yield under each root the first leaf that is not erased, of a document of its own.

    The receipt of the arrival is that of whatever lay in it. `of` is the batch, of a supplementary
    note the document.
    """
    from ingest.ledger import covering

    own: set[int] | None = None
    if record["message_type"] == "document":
        own = {page["source" if kind == "receipt" else "number"] for page in record["pages_found"]}
    for unit, leaves in covering.leaves(connection, kind, [of]).items():
        wanted = None if kind == "supplement" or (kind, unit) == ("receipt", of) else own
        for place, leaf in enumerate(leaves):
            if leaf.sha256 and (wanted is None or leaf.key in wanted):
                yield unit, place
                break


def _statement(app: App, kind: str, name: str, found: Proof | None) -> tuple[str, bool, bool, str]:
    from workers.evidence.assembly import proving
    from workers.evidence.verification import NotProved, prove

    what = _KINDS[kind][1]
    if found is None:
        return name, False, False, "wartet auf einen Zeitstempel"
    try:
        first, *_ = links = prove(proving(found), [found.members[0]])
    except (NotProved, ValueError) as error:
        return name, False, True, f"führt nicht zum Zeitstempel: {error}"
    for link in links:
        if (reason := _doubt(app, link)) is not None:
            return name, False, True, f"Zeitstempel nicht gültig: {reason}"
    when = local_time(first.said.stamped_at.isoformat(), app.settings.house.zone)
    roots = "" if app.settings.sealing.tsa_roots else "; Aussteller nicht geprüft (keine Wurzel)"
    text = f"{what} spätestens {when} (Zeitstempel von {first.said.authority}){roots}"
    return name, True, True, text


def _doubt(app: App, link: Link) -> str | None:
    from workers.sealing.timestamps import load_roots
    from workers.sealing.tokens import doubt

    roots = load_roots(app.settings.sealing.tsa_roots)
    return doubt(link.encoded, link.said.imprint, roots, link.confirmed_at or clock.now())


def of_ledger(
    app: App, connection: sa.Connection, tenant: str, newest: int | None = SIGNATURES
) -> Iterator[tuple[str, bool, str]]:
    """Yield where files, images, heads or timestamps are not what was witnessed.

    Args:
        app: The installation.
        connection: In a reading transaction.
        tenant: Whose.
        newest: The signatures of so many of the newest timestamps are verified; None for all.
    """
    from ingest.ledger.evidenced import counted
    from ingest.ledger.witness_faults import faults
    from ingest.ledger.witnessed import account

    broken = 0
    signatures = _signatures(app, connection, tenant, newest)
    for concerned, reason in (*faults(connection, tenant), *signatures):
        broken += 1
        yield concerned, False, reason
    yield from _beside_anchors(app, connection, tenant)
    found = account(connection, tenant)
    waits = f", {found['waiting']} warten auf einen Zeitstempel" if found["waiting"] else ""
    text = counting.violated(broken) if broken else "nachgerechnet"
    older = 0 if newest is None else counted(connection, tenant) - newest
    left = f", Signaturen von {older} älteren Zeitstempeln nicht geprüft" if older > 0 else ""
    yield f"Eingänge, Erfassungen, Tageswurzeln {tenant}", not broken, f"{text}{waits}{left}"


def _beside_anchors(
    app: App, connection: sa.Connection, tenant: str
) -> Iterator[tuple[str, bool, str]]:
    """Yield how the chains compare with the anchors outside the database."""
    from ingest.ledger.anchors import compare

    found = compare(connection, [app.settings.anchors], tenant)
    for one in found.behind:
        yield f"Kette {one.chain}", False, f"laut Anker fehlen {one.events} Ereignisse"
    for id_ in found.back:
        yield id_, False, f"laut Anker gelöscht und wieder da; bitte »erase {id_}«"
    for chain in found.rewritten:
        yield f"Kette {chain}", False, "der verankerte Stand war ein anderer"
    for path in found.damaged:
        yield f"Anker {path.name}", False, "nicht lesbar"
    if found.days:
        lost = f", {found.explained} Ketten nach Wiederherstellung" if found.explained else ""
        whole = not (found.behind or found.rewritten or found.damaged or found.back)
        yield f"Anker {tenant}", whole, f"{found.days} Tage verglichen{lost}"


def _signatures(
    app: App, connection: sa.Connection, tenant: str, newest: int | None
) -> Iterator[tuple[str, str]]:
    """Yield which of the newest timestamps are not valid, each as of when it was renewed."""
    from ingest.ledger.evidenced import signed
    from workers.sealing.timestamps import load_roots
    from workers.sealing.tokens import doubt

    roots = load_roots(app.settings.sealing.tsa_roots)
    for row in signed(connection, tenant, newest):
        try:
            root = bytes.fromhex(row.root)
        except ValueError:
            yield f"Zeitstempel {row.id}", "nicht gültig: die Wurzel dazu ist keine Prüfsumme"
            continue
        reason = doubt(row.token, root, roots, row.confirmed_at or clock.now())
        if reason is not None:
            yield f"Zeitstempel {row.id}", f"nicht gültig: {reason}"


def standing(app: App, connection: sa.Connection, tenant: str) -> Facts:
    """Return what waits for a timestamp since when, and whether that is too long.

    `not_rehashed` is how many roots have a timestamp in a digest that ends at
    `digest_ends_at`: they get no newer one, unlike documents.
    """
    from ingest.ledger.witnessed import account
    from workers.evidence.deadlines import overdue
    from workers.evidence.rehashing import ending

    settings = app.settings
    active = bool(settings.sealing.authorities) and settings.evidence.capture_minutes > 0
    found = account(connection, tenant)
    late = active and overdue(found, settings.evidence)
    ends_at = ending(settings.evidence, clock.now().date()).get(ALGORITHM)
    found["not_rehashed"] = 0 if ends_at is None else found["stamped"]
    found["digest_ends_at"] = None if ends_at is None else ends_at.isoformat()
    return {"active": active, **found, "overdue": late, "clock": clock.state().facts()}


def print_standing(found: Facts, zone: str) -> None:
    """Print `standing` for people; nothing where no timestamp is wanted."""
    if found["not_rehashed"]:
        click.echo(
            f"Eingänge, Erfassungen, Tageswurzeln: {found['not_rehashed']} sind mit SHA-256 "
            f"gesichert, das {local_time(found['digest_ends_at'], zone)} endet; ihr Hashverfahren "
            "wird nicht erneuert. Dokumente und ihre Originale haben eigene Nachweise."
        )
    if not found["active"]:
        return
    late = "ÜBERFÄLLIG: " if found["overdue"] else ""
    since = f" seit {local_time(found['waiting_since'], zone)}" if found["waiting"] else ""
    last = found["stamped_at"]
    click.echo(
        f"Eingänge, Erfassungen, Tageswurzeln: {late}{found['waiting']} warten auf einen "
        f"Zeitstempel{since}; letzter: {local_time(last, zone) if last else 'keiner'}"
    )


def overdue_findings(app: App) -> Iterator[tuple[str, str | None]]:
    """Yield for each tenant whether timestamps are overdue: name, and the problem or None."""
    if not app.settings.sealing.authorities:
        return
    for tenant in app.settings.tenants:
        with app.ledger.reading() as connection:
            found = standing(app, connection, tenant)
        when = found["waiting_since"] and local_time(
            found["waiting_since"], app.settings.house.zone
        )
        text = (
            f"{found['waiting']} Wurzeln warten seit {when} auf einen Zeitstempel; bitte den "
            "Zeitstempeldienst (sealing.tsa_urls) und den Weg dorthin prüfen. Es geht nichts "
            "verloren, bewiesen ist der Zeitpunkt aber erst mit dem Zeitstempel."
        )
        yield f"Zeitstempel {tenant}", text if found["overdue"] else None
