"""How the note says who checked what: rule, sample, and the look at this document, if any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.etree import ElementTree as ET

from ingest.document import NOT_RECORDED, ROLE_NAMES, Facts, Role
from workers.note.elements import child, clean

_RULES: Final = {"before_delivery": "vor der Zustellung", "by_clerk": "durch die Sachbearbeitung"}
_MODES: Final = {
    "complete": "vollständig",
    "sample": "Stichprobe",
    "clerk": "durch die Sachbearbeitung",
}
_RESULTS: Final = {
    "passed": "bestanden",
    "confirmed": "bestätigt",
    "pending": "noch nicht bestätigt",
}


def quality(root: ET.Element, said: Facts, moment: Callable[[str | None], str]) -> None:
    """Write rule, mode, result, sample and verdict of the check (A.NB.3, A.NB.4e, A.SC.8)."""
    element = ET.SubElement(root, "Qualitaetssicherung")
    child(element, "Regel", _RULES[said["rule"]])
    child(element, "Verfahren", _MODES[said["mode"]])
    child(element, "Ergebnis", _RESULTS[said["state"]])
    if sample := said.get("sample"):
        _sample(element, sample, said.get("checked_by") or (), moment)
    verdict = said.get("verdict")
    look = ET.SubElement(element, "DiesesDokument")
    child(look, "Angesehen", "nein" if verdict is None else "ja")
    if verdict is not None:
        child(look, "Kuerzel", verdict["by"])
        child(look, "Rolle", role_name(verdict.get("role")))
        child(look, "Zeitpunkt", moment(verdict["at"]))
        child(look, "Bildlich", str(bool(verdict["visual"])).lower())
        child(look, "Inhaltlich", str(bool(verdict["content"])).lower())
        for number in verdict.get("pages") or ():
            ET.SubElement(look, "BeurteiltesAbbild", {"nummer": str(number)})


def role_name(role: str | None) -> str:
    """Return what a role is called; one that this version does not know stays as it is."""
    if role is None:
        return NOT_RECORDED
    return ROLE_NAMES[Role(role)] if role in tuple(Role) else clean(role)


def _sample(
    parent: ET.Element,
    sample: Facts,
    checkers: tuple[str, ...],
    moment: Callable[[str | None], str],
) -> None:
    attributes = {
        "umfang": str(sample["size"]),
        "grundgesamtheit": str(sample["population"]),
        "anteil": _share(float(sample["share"])),
        "startwert": clean(str(sample["seed"])),
        "festgelegtAm": moment(sample.get("committed_at")),
        "abgeschlossenAm": moment(sample.get("closed_at")),
    }
    element = ET.SubElement(parent, "Stichprobe", attributes)
    for code in checkers:
        ET.SubElement(element, "Pruefer", {"kuerzel": clean(code)})
    for share, probability in sorted((sample.get("detection") or {}).items(), key=_as_number):
        attributes = {"fehleranteil": clean(share), "wahrscheinlichkeit": f"{probability:.4f}"}
        ET.SubElement(element, "Aufdeckung", attributes)


def _share(share: float) -> str:
    """Return a share as XML's decimals are written: never with an exponent."""
    return f"{share:.6f}".rstrip("0").rstrip(".")


def _as_number(entry: tuple[str, float]) -> float:
    return float(entry[0])
