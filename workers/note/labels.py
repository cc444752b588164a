"""What the elements of the notes are called on the page that people read."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

#: Where each kind of note has the sentence that a reader needs first.
LEADS: Final = MappingProxyType(
    {
        "Scanvermerk": "Vermerk/Erklaerung",
        "Transfervermerk": "Uebereinstimmung/Erklaerung",
        "Ergaenzungsvermerk": "Uebereinstimmung/Erklaerung",
    }
)
#: Names that are not their own German label: umlauts, words run together, attributes.
LABELS: Final = MappingProxyType(
    {
        "AbbildBis": "bis Abbild",
        "AbbildVon": "von Abbild",
        "Abbild": "Abbilder",
        "AbbilderGesamt": "Abbilder im Stapel",
        "AnlageSha256": "Technische Anlage (SHA-256)",
        "Aufdeckung": "Aufdeckungswahrscheinlichkeit",
        "Auffaelligkeit": "Auffälligkeit",
        "Auffaelligkeiten": "Auffälligkeiten",
        "Auspraegung": "Ausprägung",
        "Bearbeiterkuerzel": "Bearbeiter (Kürzel)",
        "Begruendung": "Begründung",
        "BeurteiltesAbbild": "Einzeln beurteilte Abbilder",
        "Bezug": "Bezug auf die gesicherte Datei",
        "Bildlich": "bildliche Übereinstimmung",
        "DiesesDokument": "Prüfung dieses Dokuments",
        "Dokument": "Dokument Nr. im Stapel",
        "EingangsdatumQuelle": "Quelle des Eingangsdatums",
        "Einzug": "Einzug oder Flachbett",
        "Erfassungswurzel": "Wurzel über die Abbilder bei der Erfassung (SHA-256)",
        "Erklaerung": "Erklärung",
        "ErstelltAm": "erstellt am",
        "ErwarteteBlaetter": "erwartete Blätter",
        "FreigegebenAm": "freigegeben am",
        "FreigegebenDurch": "freigegeben durch (Kürzel)",
        "Geraet": "Gerät",
        "GescannteAbbilder": "gescannte Abbilder im Stapel",
        "GescanntAm": "gescannt am",
        "Inhaltlich": "inhaltliche Übereinstimmung",
        "Integritaet": "Integrität",
        "Integritaetssicherung": "Integritätssicherung (vorgesehen)",
        "Kuerzel": "Kürzel der Person",
        "LeereSeitenEntfernt": "leere Seiten entfernt",
        "Massnahme": "Maßnahmen",
        "Nachscan": "Nachgescannte Abbilder",
        "Nachgescannt": "nachgescannte Abbilder",
        "PdfSha256": "Gesicherte PDF (SHA-256)",
        "PdfVorSiegel": "PDF vor dem Siegel (SHA-256)",
        "PdfVorVermerk": "PDF vor dem Vermerk (SHA-256)",
        "Pruefer": "Prüfende der Stichprobe",
        "Pruefsummen": "Prüfsummen",
        "Pruefung": "Prüfung",
        "Qualitaetssicherung": "Qualitätssicherung",
        "RegistriertAm": "registriert am",
        "Schritt": "Schritte",
        "Seiten": "Seiten des Dokuments",
        "Sha256": "SHA-256",
        "Text": "Erkannter Text (SHA-256)",
        "Uebereinstimmung": "Übereinstimmung mit dem Papier",
        "Uhr": "Uhr des Systems",
        "Verfuegbarkeit": "Verfügbarkeit",
        "VermerkSha256": "Ursprünglicher Vermerk (SHA-256)",
        "Weggelassen": "Weggelassene Abbilder",
        "Wiederaufgenommen": "Wieder aufgenommene Abbilder",
        "Zaehlung": "Zählung",
        "abbild": "Abbild",
        "abbilder": "Abbilder",
        "abgeschlossenAm": "abgeschlossen am",
        "abweichungSekunden": "größte Abweichung (Sekunden)",
        "anteil": "Anteil",
        "art": "Art",
        "aufloesung": "Auflösung",
        "aufloesungQuelle": "Auflösung aus",
        "bezug": "gezählt für",
        "breite": "Breite (Bildpunkte)",
        "dateiart": "Dateiart",
        "ersetztSha256": "ersetztes Abbild (SHA-256)",
        "farbmodus": "Farbmodus",
        "fehleranteil": "Fehleranteil",
        "festgelegtAm": "festgelegt am",
        "geraet": "Gerät",
        "gescanntAm": "gescannt am",
        "grund": "Grund",
        "grundgesamtheit": "Grundgesamtheit (Dokumente)",
        "hoehe": "Höhe (Bildpunkte)",
        "kompression": "Kompression",
        "kuerzel": "Kürzel",
        "name": "Name",
        "nummer": "Nummer",
        "startwert": "Startwert der Auswahl",
        "synchron": "mit Zeitdienst abgeglichen",
        "umfang": "Umfang (Dokumente)",
        "verfahren": "Verfahren",
        "wahrscheinlichkeit": "Wahrscheinlichkeit",
        "werkzeug": "Werkzeug",
        "zeitpunkt": "Zeitpunkt",
    }
)
#: What values stand for that programs read, by element or by element and attribute.
SHOWN: Final = MappingProxyType(
    {
        ("Kanal", "command"): "Befehl „receive“",
        ("Kanal", "folder"): "überwachter Ordner",
        ("Kanal", "outgoing"): "Postausgang",
        ("Kanal", "scanner"): "Scanner",
        ("Schritt/name", "Prüfung"): "automatische Prüfung",
    }
)
#: Fractions of one that people read as percentages.
FRACTIONS: Final = frozenset(
    {"Stichprobe/anteil", "Aufdeckung/fehleranteil", "Aufdeckung/wahrscheinlichkeit"}
)
