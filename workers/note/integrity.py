"""How the class has its scan products secured: what the note announces and the seal then does."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ingest.document import Facts

_MEANS: Final = MappingProxyType(
    {
        "aseal": "fortgeschrittenes Siegel",
        "qseal": "qualifiziertes Siegel",
        "aes": "fortgeschrittene Signatur",
        "qes": "qualifizierte Signatur",
    }
)
_STAMPS: Final = MappingProxyType(
    {"none": "keiner", "ts": "Zeitstempel", "qts": "qualifizierter Zeitstempel"}
)
_INSIDE: Final = (
    "Das Siegel wird nach diesem Vermerk über die PDF samt Vermerk angebracht; Zertifikat, "
    "Seriennummer und Zeitstempel stehen in ihm selbst."
)
_BESIDE: Final = (
    "Das Siegel wird nach diesem Vermerk über die PDF angebracht; Zertifikat, Seriennummer und "
    "Zeitstempel stehen in ihm selbst. Die PDF nennt die Kennung dieses Vermerks, der Vermerk "
    "die Prüfsumme der PDF vor dem Siegel."
)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What the class demands, in the words of the note."""

    means: str
    level: str
    certificate: str
    stamp: str
    evidence: str


def planned(rules: Facts, *, authorities: bool, inside: bool) -> Planned:
    """Return what secures a document of a class.

    Args:
        rules: The profile's `sealing`, with its means named.
        authorities: Whether the installation has a timestamp authority.
        inside: The note is inside the PDF, else beside it.
    """
    level = rules["level"] or ("B-T" if authorities or rules["timestamp"] else "B-B")
    stamp = rules["stamp"] or ("none" if level == "B-B" else "ts")
    qualified = rules["means"].startswith("q")
    return Planned(
        means=_MEANS[rules["means"]],
        level=level,
        certificate="qualifiziertes Zertifikat" if qualified else "Qualifikation nicht verlangt",
        stamp=_STAMPS[stamp],
        evidence=_INSIDE if inside else _BESIDE,
    )
