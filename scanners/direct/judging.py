"""What is strange about a stack at its end, and why a replacing one waits for a person.

Its pages are there, so nothing is refused for this: it is said of the stack, and under a replacing
profile the head of the scanning office decides (`ingest.ledger.reserved`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ingest.document import Facts
from ingest.ledger import devices, stacks
from ingest.ledger.reserved import BACK_MISSING, OTHER_DEVICE, SETTINGS_DIFFER
from profiles.scanning import asked_by
from scanners.device import Feed, PageFacts, ScanSettings
from scanners.direct import operators
from scanners.direct.agreeing import of_another_device
from scanners.direct.arriving import seen_device
from scanners.stack import Closing, LeaseLost, Opening

_MIXED: Final = (
    "Sind die Bilder dennoch die des Papiers, gibt die Leitung der Scanstelle frei (»release«); "
    "sonst zurückweisen, das Papier aufbewahren und neu scannen."
)
#: What to do about a sheet without its back.
_LOOK: Final = (
    "Bitte das Blatt ansehen: ist es vollständig, gibt die Leitung der Scanstelle frei "
    "(»release«); sonst zurückweisen und neu scannen."
)
_SET_OTHERWISE: Final = (
    "Bitte am Arbeitsplatz die Profile erneuern lassen (»status« fragt das Haus). Genügen die "
    "Bilder trotzdem, gibt die Leitung der Scanstelle frei (»release«); sonst zurückweisen, das "
    "Papier aufbewahren und neu scannen."
)
_NAMED: Final = 5
#: Settings that make the image, as people call them. How long a device is waited for makes none.
_SETTINGS: Final = MappingProxyType(
    {
        "dpi": "Auflösung (dpi)",
        "mode": "Farbart",
        "depth": "Farbtiefe (Bit)",
        "feed": "Zuführung",
        "paper": "Papierformat",
        "threshold": "Schwelle",
    }
)
_VALUES: Final[Mapping[Any, str]] = MappingProxyType(
    {
        None: "dem Gerät überlassen",
        "bitonal": "schwarzweiß",
        "grey": "Graustufen",
        "colour": "Farbe",
        "flatbed": "Vorlagenglas",
        "feeder": "Einzug einseitig",
        "duplex": "Einzug beidseitig",
    }
)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is known of a stack beside its pages.

    Attributes:
        inventory: Number that the house gave the device, None for none.
        objections: Why it is not to go on under a replacing profile: code and German text each.
        anomalies: What was strange, beside what was noted of the open stack.
    """

    inventory: str | None
    objections: tuple[tuple[str, str], ...]
    anomalies: tuple[Facts, ...]


def judged(
    connection: stacks.Connection, row: stacks.Row, pages: stacks.Rows, closing: Closing
) -> Judgement:
    """Judge a stack that is about to end.

    Args:
        connection: Of the house.
        row: Of the stack, still open.
        pages: Those that count, by number.
        closing: As the station said it.
    """
    tenant, opening = row.tenant, Opening.from_json(row.said)
    device = seen_device(opening.device, row.station)
    makers = (row.operator, *(page.scanned_by for page in pages), closing.closed_by)
    unreleased = devices.objection(connection, tenant, device)
    asked = ScanSettings.from_json(asked_by(stacks.rules_of(connection, row)))
    otherwise = settings_differ(row, opening.settings, asked)
    mixed, back = _mixed(opening, pages), _back_missing(opening, pages)
    objections = (
        (devices.DeviceNotReleased.code, unreleased) if unreleased else None,
        (OTHER_DEVICE, f"{mixed['text']} {_MIXED}") if mixed else None,
        operators.objection(connection, tenant, makers),
        (SETTINGS_DIFFER, f"{otherwise['text']} {_SET_OTHERWISE}") if otherwise else None,
        (BACK_MISSING, f"{back['text']} {_LOOK}") if back else None,
    )
    anomalies = (mixed, otherwise, back, _device_unheld(closing))
    return Judgement(
        inventory=devices.inventory_of(connection, tenant, device.device),
        objections=tuple(each for each in objections if each is not None),
        anomalies=tuple(each for each in anomalies if each is not None),
    )


def settings_differ(row: stacks.Row, made: ScanSettings, asked: ScanSettings) -> Facts | None:
    """Return where a stack was set otherwise than its profile asks; None where it was not.

    A station without a connection scans with the profiles that it was offered last, so the version
    that the house let the stack in under may ask for something else.

    Args:
        row: Of the stack.
        made: What the station asked of the device.
        asked: What the version asks that holds for the stack.
    """
    found = list(_differences(made, asked))
    if not found:
        return None
    named = "; ".join(
        f"{_SETTINGS[each['setting']]} {_said(each['made'])} statt {_said(each['asked'])}"
        for each in found
    )
    text = (
        f"Gescannt wurde mit anderen Einstellungen, als das Profil '{row.profile}' (Fassung "
        f"{row.profile_sha256[:12]}…) verlangt: {named}."
    )
    return {"kind": SETTINGS_DIFFER, "differences": found, "text": text}


def _differences(made: ScanSettings, asked: ScanSettings) -> Iterator[Facts]:
    """Yield setting, what was made and what is asked, both as JSON has them."""
    said, wanted = made.to_json(), asked.to_json()
    for name in _SETTINGS:
        if said[name] != wanted[name]:
            yield {"setting": name, "made": said[name], "asked": wanted[name]}
        elif name in made.wished and name not in asked.wished:
            yield {"setting": name, "made": "nur gewünscht", "asked": said[name]}


def _said(value: object) -> str:
    return _VALUES.get(value, str(value))


def _mixed(opening: Opening, pages: stacks.Rows) -> Facts | None:
    """Return that pages came from another device than the stack's; None where none did.

    A station's closing is refused for it, see `agreeing`; the house may end such a stack.
    """
    facts = [PageFacts.from_json(page.facts) for page in pages]
    found = list(of_another_device(opening, facts))
    if not found:
        return None
    text = f"Nicht alle Seiten kommen von einem Gerät: {'; '.join(found[:_NAMED])}"
    return {"kind": OTHER_DEVICE, "pages": len(found), "text": f"{text}."}


def _back_missing(opening: Opening, pages: stacks.Rows) -> Facts | None:
    """Return what is strange about a duplex stack that ends with a front; None where it does not.

    It is what was scanned, so the stack may end like this; but somebody has to know.
    """
    if opening.settings.feed is not Feed.DUPLEX or len(pages) % 2 == 0:
        return None
    sheet = len(pages) // 2 + 1
    text = f"Die letzte Rückseite fehlt: von Blatt {sheet} ist nur die Vorderseite da."
    return {"kind": BACK_MISSING, "sheet": sheet, "text": text}


def _device_unheld(closing: Closing) -> Facts | None:
    """Return that a device was not the station's alone for the house; None where it was."""
    if not closing.unheld_at:
        return None
    text = (
        "Das Gerät war beim Scannen zeitweise nicht im Haus reserviert (ohne Verbindung oder zu "
        "lange ohne Lebenszeichen); ein anderer Platz kann es zugleich benutzt haben."
    )
    since = [at.isoformat() for at in closing.unheld_at]
    return {"kind": LeaseLost.code, "since": since, "text": text}
