"""What the sample letters say: made-up senders, matters and sentences, chosen by a seed.

Nothing here belongs to anybody: places, companies and numbers are invented. The wording
follows what authorities receive, with the words and patterns that the shipped routing
rules look for, so that the letters end on different desks.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Letter:
    """The content of one letter, before it is laid out.

    Attributes:
        sender: Lines of the letterhead, the name first.
        recipient: Lines of the address field.
        reference: Label and value of the line that routing looks for.
        table: Rows of equal length, the first one the heading; empty for none.
    """

    sender: tuple[str, ...]
    recipient: tuple[str, ...]
    reference: tuple[str, str]
    dated: dt.date
    subject: str
    salutation: str
    paragraphs: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    signed: str


@dataclass(frozen=True)
class _Matter:
    """A kind of letter; `{year}` and `{number}` are filled in by the seed."""

    senders: tuple[tuple[str, ...], ...]
    office: str
    reference: tuple[str, str]
    subject: str
    opening: str
    table: tuple[tuple[str, ...], ...] = ()


_MATTERS = (
    _Matter(
        senders=(
            ("Familie Petra und Jörg Brückner", "Mühlgasse 14", "08412 Neuenwalde"),
            ("Planungsbüro Kästner & Söhne", "Am Güterbahnhof 3", "08415 Altenbrück"),
        ),
        office="Bauamt",
        reference=("Aktenzeichen", "BA-{year}-{number:06d}"),
        subject="Bauantrag für einen Carport mit Geräteraum, Flurstück 117/4",
        opening=(
            "hiermit reichen wir die fehlenden Unterlagen zu unserem Bauantrag nach. Die "
            "Abstandsflächen zum Nachbargrundstück sind im Lageplan rot eingetragen, die "
            "Zustimmung der Eigentümer liegt schriftlich vor."
        ),
        table=(
            ("Anlage", "Bezeichnung", "Blätter"),
            ("1", "Lageplan im Maßstab 1:500", "2"),
            ("2", "Grundriss und Schnitt", "3"),
            ("3", "Erklärung der Nachbarn", "1"),
        ),
    ),
    _Matter(
        senders=(
            ("Café Zur Alten Börse", "Marktplatz 2", "08412 Neuenwalde"),
            ("Kulturverein Südstadt e. V.", "Gärtnerstraße 51", "08413 Neuenwalde"),
        ),
        office="Ordnungsamt",
        reference=("Geschäftszeichen", "OA-{year}-{number:06d}"),
        subject="Antrag auf Sondernutzungserlaubnis für Tische und Stühle",
        opening=(
            "für die Monate Mai bis September beantragen wir die Aufstellung von acht Tischen "
            "auf dem Gehweg vor unserem Haus. Die Durchgangsbreite von zwei Metern bleibt frei, "
            "das Rettungsfahrzeug kann jederzeit passieren."
        ),
    ),
    _Matter(
        senders=(
            ("Elektro Weißflog GmbH", "Industriestraße 8", "08420 Grünbach"),
            ("Druckerei Schönfelder KG", "Lindenallee 77", "08419 Hohenstädt"),
        ),
        office="Stadtkasse",
        reference=("Kassenzeichen", "{year}.{short:04d}.42"),
        subject="Ihre Zahlungserinnerung vom vergangenen Monat",
        opening=(
            "zu Ihrer Zahlungserinnerung teilen wir mit, dass der genannte Betrag bereits "
            "überwiesen wurde. Wir bitten Sie, den Eingang zu prüfen und die Mahngebühr zu "
            "erlassen. Einen Beleg der Bank legen wir bei."
        ),
        table=(
            ("Datum", "Verwendungszweck", "Betrag"),
            ("03.02.2026", "Gewerbesteuer 1. Rate", "1.284,00 EUR"),
            ("17.02.2026", "Straßenreinigung", "96,40 EUR"),
            ("02.03.2026", "Abfallgebühren", "212,75 EUR"),
        ),
    ),
    _Matter(
        senders=(
            ("Dr. Änne Großmann", "Rosenweg 9", "08412 Neuenwalde"),
            ("Heinz-Günter Müßig", "Talstraße 120", "08414 Oberförde"),
        ),
        office="Bürgerservice",
        reference=("Unser Zeichen", "Gr/{short:04d}"),
        subject="Hinweis zur Straßenbeleuchtung in der Südvorstadt",
        opening=(
            "seit dem Jahreswechsel sind in unserer Straße drei Laternen ausgefallen. Gerade für "
            "ältere Menschen ist der Weg zur Haltestelle dadurch gefährlich. Ich bitte um eine "
            "kurze Nachricht, wann mit der Reparatur zu rechnen ist."
        ),
    ),
)

_SENTENCES = (
    "Die dazugehörigen Nachweise finden Sie in der beigefügten Übersicht.",
    "Über den bisherigen Verlauf haben wir Ihre Behörde am Telefon unterrichtet.",
    "Sollten weitere Angaben erforderlich sein, reichen wir diese unverzüglich nach.",
    "Eine Kopie dieses Schreibens haben wir an die übrigen Beteiligten gesandt.",
    "Nach unserer Kenntnis sind die gesetzlichen Voraussetzungen erfüllt.",
    "Die genannte Frist möchten wir vorsorglich einhalten, daher heute diese Mitteilung.",
    "Für Rückfragen stehen wir Ihnen werktags zwischen 9 und 16 Uhr gern zur Verfügung.",
    "Wir gehen davon aus, dass das Verfahren damit zügig fortgeführt werden kann.",
    "Bitte bestätigen Sie uns den Eingang dieses Schreibens in geeigneter Form.",
    "Die Größe der betroffenen Fläche beträgt nach unserer Messung 38,5 Quadratmeter.",
    "Frühere Schreiben in dieser Angelegenheit sind bislang unbeantwortet geblieben.",
    "Ein persönliches Gespräch wäre aus unserer Sicht der schnellste Weg zur Klärung.",
    "Etwaige Gebühren übernehmen wir selbstverständlich in voller Höhe.",
    "Die Öffnungszeiten Ihres Hauses lassen einen früheren Termin leider nicht zu.",
    "Wir bitten, den Zeitpunkt der Entscheidung rechtzeitig bekannt zu geben.",
)


def letter(seed: int, paragraphs: int) -> Letter:
    """Return the letter that belongs to `seed`; the same every time.

    Args:
        seed: Also chooses the matter, in turn, so that neighbouring seeds differ.
        paragraphs: How many paragraphs follow the opening.
    """
    chance = random.Random(seed)  # noqa: S311 - sample texts, nothing secret
    matter = _MATTERS[seed % len(_MATTERS)]
    number = chance.randrange(1, 999_999)
    label, pattern = matter.reference
    return Letter(
        sender=chance.choice(matter.senders),
        recipient=(
            "Stadtverwaltung Neuenwalde",
            matter.office,
            "Rathausplatz 1",
            "08412 Neuenwalde",
        ),
        reference=(label, pattern.format(year=2026, number=number, short=number % 10_000)),
        dated=dt.date(2026, 3, 1) + dt.timedelta(days=chance.randrange(28)),
        subject=matter.subject,
        salutation="Sehr geehrte Damen und Herren,",
        paragraphs=(matter.opening, *(_paragraph(chance) for _ in range(paragraphs))),
        table=matter.table,
        signed=chance.choice(("A. Brückner", "i. A. Schäfer", "M. Großmann", "T. Weiß")),
    )


def _paragraph(chance: random.Random) -> str:
    return " ".join(chance.sample(_SENTENCES, chance.randrange(3, 6)))
