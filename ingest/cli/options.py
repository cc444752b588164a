"""Options that several commands share, checked in one place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import click

from ingest import clock
from ingest.document import OPERATOR_CODE_RULE, is_operator_code


def operator_code(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Let only operator codes through; a callback for options."""
    del context, option
    if value is not None and not is_operator_code(value):
        message = (
            f"„{value}“ ist kein Kürzel. Bitte ein Kürzel statt eines Namens angeben: "
            f"{OPERATOR_CODE_RULE}."
        )
        raise click.BadParameter(message)
    return value


def operator_option(*, required: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Return the option `--operator`: a code, because it can never be erased again."""
    return click.option(
        "--operator",
        required=required,
        metavar="KÜRZEL",
        callback=operator_code,
        help=f"Kürzel der handelnden Person, kein Name: {OPERATOR_CODE_RULE}.",
    )


def code_option(name: str, text: str) -> Callable[[Callable[..., Any]], Any]:
    """Return a required option for the code of a person who acts in a certain part."""
    return click.option(
        name,
        required=True,
        metavar="KÜRZEL",
        callback=operator_code,
        help=f"{text} Kürzel, kein Name.",
    )


def received_moment(text: str, zone: str, option: str = "--received-at") -> dt.datetime:
    """Return the date that `--received-at` says, or a like option; without a zone the house's."""
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError as error:
        message = f"{option}: „{text}“ ist kein Datum; bitte JJJJ-MM-TT angeben."
        raise click.UsageError(message) from error
    moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(zone))
    if clock.lies_ahead(moment):
        message = f"{option}: „{text}“ liegt in der Zukunft; bitte den wirklichen Tag angeben."
        raise click.UsageError(message)
    return moment


#: Why; kept for good.
reason_option = click.option("--reason", required=True, help="Grund; er steht im Protokoll.")
#: Which authority.
tenant_option = click.option("--tenant", help="Mandant.")
