"""The work of `release --set password=…`: which files of a stack the password opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.cli.app import App
from ingest.document import Facts, Standing
from ingest.errors import UsageError
from ingest.ledger import Opened
from ingest.ledger.accepting import sources
from ingest.ledger.showing import show
from workers.scratch import Scratch
from workers.unlocking import TOOL, unlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.document import Source


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the password did.

    Attributes:
        opened: Copies in the store, not recorded yet.
        names: Of the files it opened, for the operator.
        locked: Names of the files it did not open, empty if there are none.
    """

    opened: tuple[Opened, ...]
    names: str
    locked: str


def open_sources(app: App, unit_id: str, password: str) -> Found:
    """Open with `password` what of a held batch is locked; the copies are durable, not recorded.

    Raises:
        UsageError: The unit is no batch, nothing in it is locked, or the password opens nothing;
            the text names the files. Nothing changed.
    """
    with app.ledger.reading() as connection:
        record = show(connection, unit_id)
        own = [source for source in sources(connection, record["batch"]) if source.sha256]
    if (record["message_type"], record["standing"]) != ("batch", Standing.HELD):
        text = (
            f"{unit_id} ist keine Einlieferung, die auf ein Kennwort wartet. Bitte mit „show“"
            " nachsehen. Nichts wurde geändert."
        )
        raise UsageError(f"{unit_id} waits for no password", operator_text=text)
    closed = [source for source in own if source.opened_sha256 is None]
    scratch = Scratch(app.settings.data / "spool")
    scratch.clear_abandoned()  # an opened copy of a call that was killed
    try:
        wanted = [(source.ordinal, source.sha256) for source in closed]
        states = unlock(app.settings, str(record["tenant"]), wanted, password, scratch.folder())
    finally:
        scratch.close()
    opened = [source for source in closed if states[source.ordinal]["state"] == "opened"]
    if not opened:
        raise _nothing_opened(closed, states)
    still = [s for s in closed if states[s.ordinal]["state"] in {"locked", "unsupported"}]
    return Found(
        opened=tuple(_copy(source, states[source.ordinal]) for source in opened),
        names=_listed(opened),
        locked=_listed(still),
    )


def _copy(source: Source, state: Facts) -> Opened:
    return Opened(ordinal=source.ordinal, sha256=state["sha256"], size=state["size"], tool=TOOL)


def _nothing_opened(closed: Iterable[Source], states: Mapping[int, Facts]) -> UsageError:
    by_state: dict[str, list[Source]] = {}
    for source in closed:
        by_state.setdefault(states[source.ordinal]["state"], []).append(source)
    told = []
    if wrong := by_state.get("locked"):
        told.append(f"Das Kennwort öffnet {_listed(wrong)} nicht.")
    if unknown := by_state.get("unsupported"):
        told.append(
            f"{_listed(unknown)} ist mit einem Verfahren verschlüsselt, das hier niemand öffnen"
            " kann; bitte den Absender um eine andere Fassung bitten."
        )
    if not told:
        told.append("Keine Datei dieser Einlieferung ist mit einem Kennwort verschlossen.")
    text = f"{' '.join(told)} Nichts wurde geändert."
    return UsageError("the password opens nothing", operator_text=text)


def _listed(sources: Iterable[Source]) -> str:
    return ", ".join(f"„{source.name}“" for source in sources)
