"""Who used which command and how it ended goes into the log (TR-03138 A.SC.11).

`list`, `status` and `check` are not noted: monitors ask them all day, and they show no
content. Neither is a command that did not open the ledger. That the log cannot be written
fails no command: what it did is in the ledger already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click
import structlog

from ingest.errors import ScanstrasseError

if TYPE_CHECKING:
    from ingest.cli.app import App

log = structlog.get_logger(__name__)

_UNNOTED: Final = frozenset({"list", "status", "check", "log", "sheets"})
_ID_CHARACTERS: Final = frozenset("0123456789abcdef-")
_ID_LENGTH: Final = 36


def noted(app: App, call: Callable[[], Any]) -> Any:
    """Perform a command of the current context and note how it ended."""
    context = click.get_current_context()
    command = " ".join(context.command_path.split()[1:]) or str(context.info_name)
    try:
        result = call()
    except ScanstrasseError as error:
        _note(app, command, context.params, error.code, failed=True)
        raise
    except click.exceptions.Exit as end:
        _note(app, command, context.params, end.exit_code)
        raise
    _note(app, command, context.params, result if isinstance(result, int) else 0)
    return result


def begun(app: App) -> None:
    """Note that a service starts, and what is in force if that changed."""
    from ingest.ledger import logbook

    command = str(click.get_current_context().info_name)
    with app.ledger.writing() as connection:
        for tenant in app.settings.tenants:
            logbook.configured(connection, tenant, in_force(app))
        logbook.used(connection, command=command, by=None, unit=None, outcome="begun")


def in_force(app: App) -> dict[str, Any]:
    """Return the effective configuration, flat, secrets masked, with version and profiles."""
    import profiles
    from ingest.product import VERSION

    found: dict[str, Any] = {"version": VERSION}
    _flatten(found, "", app.settings.model_dump(mode="json"))
    for name in profiles.names(app.settings.profiles):
        found[f"profile.{name}"] = profiles.load(name, app.settings.profiles).sha256
    return found


def _flatten(found: dict[str, Any], prefix: str, values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            _flatten(found, f"{prefix}{key}.", value)
        else:
            found[f"{prefix}{key}"] = value


def _note(
    app: App, command: str, given: dict[str, Any], outcome: int | str, *, failed: bool = False
) -> None:
    if command in _UNNOTED or "ledger" not in app.__dict__:
        return
    from ingest.ledger import logbook

    by, unit = given.get("operator"), _unit(given)
    try:
        with app.ledger.writing() as connection:
            logbook.used(connection, command=command, by=by, unit=unit, outcome=outcome)
            if failed:
                logbook.failed(connection, command=command, by=by, unit=unit, code=str(outcome))
    except ScanstrasseError as error:
        log.warning("log_not_written", command=command, error=str(error))


def _unit(given: dict[str, Any]) -> str | None:
    """Return the id that a command was given; a file's name is none."""
    named = str(given.get("identifier") or given.get("subject") or "").strip().lower()
    return named if named and len(named) <= _ID_LENGTH and set(named) <= _ID_CHARACTERS else None
