"""`people`: codes, roles, and the names behind codes."""

from __future__ import annotations

import sys

import click

from console.texts import local_time
from ingest.cli.app import App, print_json, with_app
from ingest.cli.options import code_option, reason_option, tenant_option
from ingest.document import ROLE_NAMES, Role

_BY = code_option("--by", "Wer es tut (Administration).")
_ROLE = click.argument("role", type=click.Choice([role.value for role in Role]), metavar="ROLLE")
_LONGEST = 200


@click.group()
def people() -> None:
    """Personen: Kürzel, Rollen und die Namen dahinter.

    Rollen: preparer, scan_operator, checker, clerk, seal_officer, supervisor, releaser, destroyer,
    administrator, auditor, auditor_deputy.
    """


@people.command("add")
@click.argument("code", metavar="KÜRZEL")
@_BY
@click.option("--same-as", metavar="KÜRZEL", help="Weiteres Kürzel derselben Person.")
@tenant_option
@with_app
def add(app: App, code: str, by: str, same_as: str | None, tenant: str | None) -> int:
    """Meldet ein Kürzel. Das allererste meldet sich selbst."""
    from ingest.ledger import people as registry

    with app.ledger.writing() as connection:
        registry.register(connection, app.tenant(tenant), code, by=by, same_as=same_as)
    click.echo(f"{code} gemeldet.")
    return 0


@people.command("leave")
@click.argument("code", metavar="KÜRZEL")
@_BY
@tenant_option
@with_app
def leave(app: App, code: str, by: str, tenant: str | None) -> int:
    """Beendet ein Kürzel mit seinen Rollen; es wird nie wieder vergeben."""
    from ingest.ledger import people as registry

    with app.ledger.writing() as connection:
        registry.leave(connection, app.tenant(tenant), code, by=by)
    click.echo(f"{code} beendet.")
    return 0


@people.command("give")
@click.argument("code", metavar="KÜRZEL")
@_ROLE
@_BY
@tenant_option
@with_app
def give(app: App, code: str, role: str, by: str, tenant: str | None) -> int:
    """Erteilt der Person eines Kürzels eine Rolle."""
    from ingest.ledger import people as registry

    with app.ledger.writing() as connection:
        registry.give(connection, app.tenant(tenant), code, Role(role), by=by)
    click.echo(f"{code}: {ROLE_NAMES[Role(role)]} erteilt.")
    return 0


@people.command("take")
@click.argument("code", metavar="KÜRZEL")
@_ROLE
@_BY
@tenant_option
@with_app
def take(app: App, code: str, role: str, by: str, tenant: str | None) -> int:
    """Beendet eine Rolle."""
    from ingest.ledger import people as registry

    with app.ledger.writing() as connection:
        registry.take(connection, app.tenant(tenant), code, Role(role), by=by)
    click.echo(f"{code}: {ROLE_NAMES[Role(role)]} beendet.")
    return 0


@people.command("list")
@tenant_option
@click.option("--json", "as_json", is_flag=True, help="Ein JSON-Objekt je Zeile.")
@with_app
def list_people(app: App, tenant: str | None, *, as_json: bool) -> int:
    """Nennt Kürzel und Rollen, nie Namen."""
    from ingest.ledger import people as registry
    from ingest.ledger.pseudonyms import named_persons

    with app.ledger.reading() as connection:
        known = registry.listing(connection, app.tenant(tenant))
        named = named_persons(connection, app.tenant(tenant))
    for record in known:
        record["named"] = record["person"] in named
        if as_json:
            print_json({"message_type": "person", **record})
            continue
        roles = ", ".join(ROLE_NAMES[Role(role)] for role in record["roles"]) or "ohne Rolle"
        ended = record["ended_at"]
        zone = app.settings.house.zone
        state = f"beendet {local_time(ended.isoformat(), zone)}" if ended else roles
        name = "Name hinterlegt" if record["named"] else "kein Name"
        click.echo(f"{record['code']:16} {name:16} {state}")
    return 0


@people.command("name")
@click.argument("code", metavar="KÜRZEL")
@_BY
@click.option("--reference", metavar="TEXT", help="Wo mehr steht, z. B. die Personalstelle.")
@click.option("--erase", is_flag=True, help="Den Namen löschen statt eintragen.")
@click.option("--reason", default="", help="Grund des Löschens; er steht im Protokoll.")
@tenant_option
@with_app
def name(  # noqa: PLR0913 - one parameter per option of the command
    app: App,
    code: str,
    *,
    by: str,
    reference: str | None,
    erase: bool,
    reason: str,
    tenant: str | None,
) -> int:
    """Trägt den Namen zu einem Kürzel ein oder löscht ihn.

    Der Name wird abgefragt (oder als erste Zeile von der Standardeingabe gelesen): auf der
    Befehlszeile stünde er in deren Verlauf.
    """
    from ingest.ledger import pseudonyms
    from ingest.ledger.namebook import Named

    if erase:
        with app.ledger.writing() as connection:
            pseudonyms.strike(connection, app.names, app.tenant(tenant), code, by=by, reason=reason)
        click.echo(f"{code}: Name gelöscht. Das Kürzel ist nicht mehr auflösbar.")
        return 0
    named = Named(name=_entered(), reference=reference)
    with app.ledger.writing() as connection:
        pseudonyms.enter(connection, app.names, app.tenant(tenant), code, named, by=by)
    click.echo(f"{code}: Name eingetragen.")
    return 0


@people.command("resolve")
@click.argument("code", metavar="KÜRZEL")
@code_option("--by", "Revision oder Vertretung.")
@code_option("--and", "Eine zweite Person mit dieser Rolle.")
@reason_option
@tenant_option
@with_app
def resolve(app: App, code: str, by: str, reason: str, tenant: str | None, **second: str) -> int:
    """Löst ein Kürzel auf: zwei Personen der Revision erfahren den Namen, einmal, sofort."""
    from ingest.ledger import pseudonyms

    request = pseudonyms.Request(code=code, by=by, second=second["and"], reason=reason)
    found = pseudonyms.resolve(app.ledger.writing, app.names, app.tenant(tenant), request)
    click.echo(found.name + (f" ({found.reference})" if found.reference else ""))
    return 0


def _entered() -> str:
    if sys.stdin.isatty():
        entered: str = click.prompt("Name", err=True)
    else:
        entered = sys.stdin.readline(_LONGEST + 2)
    if len(entered.strip()) > _LONGEST:
        message = f"Der Name ist länger als {_LONGEST} Zeichen."
        raise click.UsageError(message)
    return entered.strip()
