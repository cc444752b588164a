"""Whose codes a stack names: only codes get in, and replacing scans need persons behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.document import NOT_RECORDED
from ingest.errors import UsageError
from ingest.ledger import people, stacks
from ingest.ledger.persons import require_code
from ingest.ledger.reserved import OPERATOR_UNKNOWN

#: What a refusal is about, in place of what was given: that may be a name.
_SUBJECT = "Scan"


def require_codes(*given: str | None) -> None:
    """Refuse what may be a name; None is nobody who signed on.

    Raises:
        UsageError: One is no operator code; neither message nor text repeats it.
    """
    for code in given:
        if code is not None:
            require_code(code, _SUBJECT)


def require_person(connection: stacks.Connection, tenant: str, code: str | None) -> None:
    """Refuse whoever cannot be determined as a person (BSI TR-03138 V1.5, A.NB.4a).

    Raises:
        UsageError: There is no code, or nobody is registered with it now.
    """
    if code is None:
        text = (
            "Ersetzendes Scannen braucht das Kürzel der scannenden Person. Bitte am "
            "Arbeitsplatz anmelden oder --operator angeben."
        )
        message = "replacing scans need an operator"
        raise UsageError(message, operator_text=text, code=OPERATOR_UNKNOWN)
    require_codes(code)
    people.person_of(connection, tenant, code)


def objection(
    connection: stacks.Connection, tenant: str, codes: Iterable[str | None]
) -> tuple[str, str] | None:
    """Return code and German text of what is wrong with those who made a replacing scan.

    A station without a connection cannot know who is registered, so what it scanned is taken and
    judged here, at the end of the stack.

    Args:
        connection: Of the closing.
        tenant: Whose stack.
        codes: Of everybody who scanned or ended it; None where nobody had signed on.

    Returns:
        None where all are registered now.
    """
    unknown = [
        code for code in dict.fromkeys(codes) if not people.is_registered(connection, tenant, code)
    ]
    if not unknown:
        return None
    text = (
        f"Ersetzend gescannt wurde unter Kürzeln, die für keine gemeldete Person stehen: "
        f"{_listed(unknown)}. Bitte die Kürzel melden lassen (»people add«); danach gibt die "
        "Leitung der Scanstelle frei (»release«), oder die Einlieferung zurückweisen, das Papier "
        "aufbewahren und neu scannen."
    )
    return OPERATOR_UNKNOWN, text


def _listed(codes: Sequence[str | None]) -> str:
    return ", ".join(NOT_RECORDED if code is None else code for code in codes)
