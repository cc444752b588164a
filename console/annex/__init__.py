"""The technical annex of the Verfahrensdokumentation, from the configuration as it is now.

German Markdown for people and for their signature. The same configuration gives the same
bytes: no time, no order that changes, no name or code of a person, no secret.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import profiles
from console.annex import outline
from ingest.document import FORBIDDEN_PAIRS, ROLE_NAMES, Facts, Role
from ingest.ledger import people, releasing
from ingest.ledger.admitting import STAGES
from ingest.product import PRODUCT

if TYPE_CHECKING:
    import sqlalchemy as sa

    from ingest.settings import Settings
    from profiles import LoadedProfile

__all__ = ["technical_annex"]

_NEEDS: Final = {"normal": "normal", "high": "hoch", "very_high": "sehr hoch"}
_TREATMENTS: Final = {
    "copying": "kopierend",
    "replacing": "ersetzend",
    "not_scanned": "wird nicht gescannt",
    "only_after_release": "nur nach Freigabe",
}
_MEANS: Final = {
    "aseal": "fortgeschrittenes Siegel",
    "qseal": "qualifiziertes Siegel",
    "aes": "fortgeschrittene Signatur",
    "qes": "qualifizierte Signatur",
    None: "keines verlangt",
}
_STAMPS: Final = {
    "ts": "Zeitstempel",
    "qts": "qualifizierter Zeitstempel",
    "none": "ohne Zeitstempel",
    None: "kein Zeitstempel verlangt",
}
_CHECKS: Final = {
    "none": "keine",
    "before_delivery": "vor der Zustellung",
    "by_clerk": "durch die Sachbearbeitung",
}
_PAPER: Final = {"destroy": "Vernichtung nach Freigabe", "return": "Rückgabe"}
_ARCHIVE: Final = {
    "open": "nicht entschieden: keine Vernichtung",
    "disposable": "kassabel",
    "paper": "Papier archivwürdig: keine Vernichtung",
    "general_rule": "Generalregelung",
}
_LIBRARIES: Final = (
    *("numpy", "ocrmypdf", "opencv-python-headless", "pikepdf", "pillow", "pyhanko"),
    *("pypdfium2", "sqlalchemy", "tesserocr", "zxing-cpp"),
)


def technical_annex(settings: Settings, connection: sa.Connection, tenant: str) -> str:
    """Return the annex of one tenant as Markdown.

    Args:
        settings: Of the installation; secrets in it are not looked at.
        connection: To the ledger, reading.
        tenant: Of the authority.

    Raises:
        ProfileInvalid: A profile's file is wrong; the text names file and key.
    """
    names = profiles.names(settings.profiles)
    loaded = [profiles.load(name, settings.profiles) for name in names]
    stages = {row.sha256: row.stage for row in releasing.versions(connection, tenant)}
    lines = [
        f"# Technische Anlage zur Verfahrensdokumentation: {settings.house.organisation}",
        f"Mandant: {tenant}",
        _house(settings),
        outline.PREFACE,
        *_classes(loaded, stages),
        *_roles(connection, tenant),
        *_profiles(loaded),
        *_integrity(settings),
        *_operation(settings, tenant),
        *_structure(loaded),
        *_to_write(loaded),
    ]
    return "\n\n".join(line.rstrip() for line in lines) + "\n"


def _house(settings: Settings) -> str:
    house = settings.house
    return f"Ort: {house.place}; Einheit: {house.unit}; Auftraggeber: {house.client}"


def _classes(loaded: Sequence[LoadedProfile], stages: dict[str, str]) -> Iterator[str]:
    negative = ("not_scanned", "only_after_release")
    yield "## a) Dokumentklassen, Schutzbedarf und Negativliste (A.G.1, A.G.2)"
    yield _table(
        ("Klasse", "Fassung", "Prüfsumme der Datei", "Behandlung", "Stand", "Rechtsgrundlage"),
        (
            (
                one.profile.name,
                one.profile.version,
                one.sha256,
                _TREATMENTS[one.profile.treatment],
                _stage(one, stages),
                one.profile.legal_basis or "–",
            )
            for one in loaded
        ),
    )
    for one in loaded:
        if one.profile.protection is not None:
            yield f"- {one.profile.name}: {one.profile.protection.reason}"
    named = [one.profile.name for one in loaded if one.profile.treatment in negative]
    yield f"Negativliste: {', '.join(named) or 'keine Klasse steht darauf'}."


def _stage(one: LoadedProfile, stages: dict[str, str]) -> str:
    if one.sha256 in stages:
        return STAGES[stages[one.sha256]]
    if not one.profile.released:
        return "Vorlage"
    return "nicht freigegeben" if one.profile.treatment == "replacing" else "in Gebrauch"


def _roles(connection: sa.Connection, tenant: str) -> Iterator[str]:
    held: dict[Role, set[str]] = {role: set() for role in Role}
    for record in people.listing(connection, tenant):
        for role in record["roles"]:
            held[Role(role)].add(record["person"])
    yield "## b) Rollen (A.O.1)"
    yield _table(("Rolle", "Personen"), ((ROLE_NAMES[role], str(len(held[role]))) for role in Role))
    pairs = sorted(sorted(ROLE_NAMES[role] for role in pair) for pair in FORBIDDEN_PAIRS)
    yield "Bei einer Person ausgeschlossen: " + "; ".join(" und ".join(pair) for pair in pairs)
    yield (
        "Zwei verschiedene Personen sind verlangt: Verfassen und Freigeben eines Profils; "
        "Auflösung eines Kürzels und Zustimmung dazu; Scannen und Prüfung bei Schutzbedarf "
        "very_high; Scannen und Freigabe der Vernichtung, bei gelöschten Dokumenten Löschen und "
        "Freigabe; Freigabe und Durchführung der Vernichtung. Geprüft wird die Person, nicht das "
        "Kürzel."
    )


def _profiles(loaded: Sequence[LoadedProfile]) -> Iterator[str]:
    yield "## c) Scannen, Nachbearbeitung und Qualitätssicherung (A.SC, A.NB)"
    yield outline.POST_PROCESSING
    yield _table(
        ("Profil", "Leerseiten", "Sprachmodelle", "dpi mind.", "Prüfung", "Anteil", "mind."),
        (
            (
                one.profile.name,
                "ausgelassen" if one.profile.separation.blank == "omit" else "behalten",
                " ".join(one.profile.recognition.languages),
                str(one.profile.checking.minimum_dpi),
                _CHECKS[one.profile.quality.check],
                f"{one.profile.quality.share:g}",
                str(one.profile.quality.minimum),
            )
            for one in loaded
        ),
    )
    yield "## d) Integritätssicherung je Klasse (A.IS.1, A.AM.IN)"
    yield _table(
        ("Profil", "Mittel", "Zeitstempel", "PAdES"),
        (
            (
                one.profile.name,
                _MEANS[one.profile.sealing.means],
                _STAMPS[one.profile.sealing.stamp],
                one.profile.sealing.level or "nach Konfiguration",
            )
            for one in loaded
        ),
    )
    yield "## e) Papier und Vernichtung je ersetzender Klasse (A.O.1i)"
    yield _table(
        ("Profil", "danach", "Wartefrist (Tage)", "Entscheidung des Archivs"),
        (
            (
                one.profile.name,
                _PAPER[one.profile.paper.after],
                str(one.profile.paper.waiting_days),
                _ARCHIVE[one.profile.paper.archive],
            )
            for one in loaded
            if one.profile.treatment == "replacing"
        ),
    )


def _integrity(settings: Settings) -> Iterator[str]:
    sealing, evidence = settings.sealing, settings.evidence
    key = "im Token (PKCS#11)" if sealing.token else "nicht eingerichtet"
    if sealing.csc is not None:
        host = urlsplit(sealing.csc.url).hostname
        key = f"beim Siegeldienst {host} (CSC), der nur Prüfsummen erhält"
    urls = ", ".join(_hosts(settings)) or "nicht eingerichtet"
    every = {"hour": "stündlich", "day": "täglich", "off": "abgeschaltet"}[evidence.every]
    yield "## f) Schlüssel, Zeitstempel, Beweiserhaltung"
    yield (
        f"- Schlüssel der Organisation: {key}\n- Zeitstempeldienste: {urls}\n"
        f"- Beweisnachweise (RFC 4998): {every}, Erneuerung {evidence.renew_days} Tage vor Ablauf"
    )
    yield _table(
        ("Algorithmus", "verwendet bis"),
        ((name, str(end)) for name, end in sorted(evidence.algorithm_ends.items())),
    )
    yield outline.CHAINS


def _operation(settings: Settings, tenant: str) -> Iterator[str]:
    ledger = "SQLite" if settings.ledger_address().startswith("sqlite") else "PostgreSQL"
    store = {"folder": "Ordner", "s3": "Objektspeicher (S3)"}[settings.store.kind]
    yield "## g) Betrieb, Wartung, Schnittstellen"
    yield "\n".join(f"- {line}" for line in outline.MAINTENANCE)
    yield _table(
        ("Schnittstelle", "eingerichtet als"),
        (
            ("Eingangsordner", str(settings.inbox(tenant))),
            ("Ausgangsordner", str(settings.outbox(tenant))),
            ("Ledger", ledger),
            ("Ablage", store),
            ("Hinweise an andere Rechner", "Redis" if settings.redis_url else "keine"),
        ),
    )
    yield outline.NETWORK
    yield "\n".join(f"- {host}" for host in _hosts(settings)) or "- keine"
    yield "### Fassungen der Programme"
    yield _table(("Programm", "Fassung"), _software())


def _hosts(settings: Settings) -> list[str]:
    """Return the authorities by host: an address may carry a password."""
    return [str(urlsplit(url).hostname) for url in settings.sealing.authorities]


def _software() -> Iterator[tuple[str, str]]:
    name, _, version = PRODUCT.partition(" ")
    yield name, version
    yield "python", platform.python_version()
    for library in _LIBRARIES:
        try:
            yield library, metadata.version(library)
        except metadata.PackageNotFoundError:
            yield library, "nicht eingerichtet"


def _structure(loaded: Sequence[LoadedProfile]) -> Iterator[str]:
    yield "## Strukturanalyse (eigene Zählung)"
    yield _table(("Nr.", "Objekt", "hier"), outline.STRUCTURE)
    yield "## Schutzbedarf"
    yield "D2 bis D6 erben den Bedarf des Originals; ein Stapel hat den höchsten seiner Dokumente."
    yield _table(
        ("Klasse", "Integrität", "Vertraulichkeit", "Verfügbarkeit"),
        (_needs(one.profile.name, one.facts().get("protection")) for one in loaded),
    )


def _needs(name: str, protection: Facts | None) -> tuple[str, ...]:
    if protection is None:
        return (name, *["nicht festgelegt"] * 3)
    aspects = ("integrity", "confidentiality", "availability")
    return (name, *(_NEEDS[protection[aspect]] for aspect in aspects))


def _to_write(loaded: Sequence[LoadedProfile]) -> Iterator[str]:
    yield "## Was Menschen noch schreiben müssen"
    yield _table(("Kapitel", "Inhalt"), outline.TO_WRITE)
    for one in loaded:
        written = one.profile.procedure
        if written is not None:
            yield (
                f"- {one.profile.name} nennt: {written.name}, {written.edition}, Fassung "
                f"{written.version}, Stand {written.as_of}, gepflegt von {written.maintainer}, "
                f"Prüfsumme {written.sha256}"
            )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
