"""What there is at a station: its house, who is signed on, and each stack that waits."""

from __future__ import annotations

from typing import Any, Final

from ingest.document import NOT_RECORDED
from scanners.stack import AcceptanceFault
from scanners.stack.journal import Journal, damaged, journals
from scanners.station.connecting import house_of, refresh_profiles
from scanners.station.faults import Misconfigured, StationFault
from scanners.station.home import Home
from scanners.station.house import HttpHouse, Patience
from scanners.station.picture import Picture

_PATIENCE: Final = Patience(connect=5.0, read=15.0)
#: By how much the clock may differ before somebody has to look; the house records the rest.
_CLOCK_SECONDS: Final = 60.0
_ANSWERS: Final = {"back": "antwortet", "away": "antwortet nicht", "barred": "lässt nicht ein"}


def show(home: Home, picture: Picture) -> int:
    """Say all of it, asking the house first; return 3 where a person has to act."""
    acting = _house(home, picture)
    for journal in journals(home.path):
        acting |= _stack(journal, picture)
    for error in damaged(home.path):
        acting = True
        picture.say(error.operator_text, message_type="damaged", operator_text=error.operator_text)
    return StationFault.exit_code if acting else 0


def _house(home: Home, picture: Picture) -> bool:
    url = home.address.url
    try:
        house = house_of(home, _PATIENCE)
    except Misconfigured as error:
        said = {"house": url, "state": "unpaired", "operator_text": error.operator_text}
        picture.say(error.operator_text, message_type="station", **said)
        return True
    offset = _asked(home, house)
    seen = home.house_seen
    kind = "away" if seen is None else seen.kind
    text = "" if seen is None else seen.operator_text
    lines = [f"Haus {url} {_ANSWERS[kind]}. {text}".rstrip()]
    lines.append(f"Angemeldet: {home.operator or NOT_RECORDED}")
    lines.append(f"Profile: {', '.join(each.name for each in home.kept_profiles) or 'keine'}")
    clock_is_wrong = offset is not None and abs(offset) > _CLOCK_SECONDS
    if clock_is_wrong:
        lines.append(f"Die Uhr dieses Rechners geht {offset:+.0f} s falsch. Bitte stellen lassen.")
    picture.say(
        "\n".join(lines),
        message_type="station",
        house=url,
        state=kind,
        operator_text=text,
        station=home.settings.code,
        operator=home.operator,
        profiles=[each.name for each in home.kept_profiles],
        clock_offset=offset,
    )
    return kind == "barred" or clock_is_wrong


def _asked(home: Home, house: HttpHouse) -> float | None:
    """Ask the house for profiles and time; return by how many seconds our clock is ahead."""
    try:
        refresh_profiles(home, house)
        return house.clock_offset().total_seconds()
    except AcceptanceFault:
        return None


def _stack(journal: Journal, picture: Picture) -> bool:
    opening, refused = journal.opening, journal.set_aside
    pages, untaken = len(journal.pages), len(journal.untaken)
    interruptions = journal.interruptions
    state = "open" if journal.closing is None else "waiting"
    state = state if refused is None else "refused"
    said: dict[str, Any] = {
        "key": journal.key,
        "profile": opening.profile,
        "operator": opening.operator,
        "opened_at": opening.opened_at.isoformat(),
        "device": f"{opening.device.driver}:{opening.device.id}",
        "sheets": journal.sheets,
        "pages": pages,
        "carried": pages - untaken,
        "state": state,
        "interrupted_after": [each.after_sheet for each in interruptions],
        "device_held_by_house": [each.by_house for each in journal.device_held],
        "code": None if refused is None else refused.code,
        "operator_text": "" if refused is None else refused.operator_text,
    }
    line = (
        f"{journal.key[:8]}  {opening.opened_at:%d.%m. %H:%M} UTC  {opening.profile}: "
        f"{said['sheets']} Blätter, {pages} Seiten, davon beim Haus {said['carried']}, "
        f"{_STATES[state]}"
    )
    if state == "open" and interruptions:
        line += f", unterbrochen nach Blatt {interruptions[-1].after_sheet}"
    if False in said["device_held_by_house"]:
        line += ", Gerät ohne das Haus belegt"
    if refused is not None:
        line += f"\n          {refused.operator_text} Danach: »retry«."
    picture.say(line, message_type="stack", **said)
    return refused is not None


_STATES: Final = {"open": "offen", "waiting": "wartet auf das Haus", "refused": "abgelehnt"}
