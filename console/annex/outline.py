"""What the technical annex says whatever the configuration, and what people still have to write.

The headings follow A.G.1 a to g and the chapters of Anwendungshinweis V as far as they are
known here; the words are this project's own. Objects of the structure are numbered by us and
have to be compared with Anwendungshinweis A by whoever uses them.
"""

from __future__ import annotations

from typing import Final

PREFACE: Final = """\
Diese technische Anlage ist aus der laufenden Konfiguration erzeugt. Sie ergänzt die
Verfahrensdokumentation, die Menschen schreiben und verantworten (BSI TR-03138 V1.5, A.G.1), und
ersetzt sie nicht. Scanstraße unterstützt einen Prozess nach TR-03138 V1.5; zertifiziert werden
Verfahren, nicht Programme. Gliederung und Wortlaut sind eigene Worte dieses Projekts.
"""

POST_PROCESSING: Final = """\
Nachbearbeitet wird nur, was die Lesbarkeit erhöht (A.NB.1), und nie von Hand. Das Bild, wie das
Gerät es lieferte, bleibt unverändert aufbewahrt. Zugelassen sind: Aufrichten gedrehter Seiten,
Auslassen von Leerseiten und Trennblättern, soweit das Profil es vorsieht (jede Auslassung steht
im Vermerk und lässt sich zurücknehmen), eine Textebene, Wandlung nach PDF/A. Nicht zugelassen
sind Zeichenmuster-Kompression (A.SC.12), Entfernen von Hintergrund und verlustbehaftetes Säubern.
"""

CHAINS: Final = """\
Jede Einlieferung, jedes Dokument und der Mandant selbst haben eine Ereigniskette: jedes Ereignis
enthält die Prüfsumme des vorigen. »scanstrasse verify« prüft Ketten, Einträge, Prüfsummen, Siegel
und Zeitstempel und nennt den Ort jeder Abweichung.
"""

MAINTENANCE: Final = (
    "Prüfung der Konfiguration bei jedem Start und mit »scanstrasse check«",
    "Sicherung mit »scanstrasse backup«; Rückspielen mit »restore« vergleicht die Ketten",
    "Namen von Personen stehen in einem eigenen Speicher und in keiner Sicherung des Ledgers",
    "Änderungen an Profilen: einreichen, testen, durch eine zweite Person freigeben; der "
    "Unterschied zur vorigen Fassung steht im Protokoll (A.SC.4, A.SC.6)",
    "Löschen mit »scanstrasse erase«: der Löschvermerk bleibt, die Ketten bleiben prüfbar",
)

#: Number, name, what stands for it here.
STRUCTURE: Final = (
    ("S1", "Scanner und Arbeitsplatz", "liefern Dateien; hier nicht verwaltet"),
    ("S2", "Eingang", "überwachte Ordner, Befehl »receive«"),
    ("S3", "Verarbeitung", "Arbeitsprozesse: Trennung, Erkennung, Prüfung, Vermerk"),
    ("S4", "Siegelung", "eigener Prozess mit Zugang zum Schlüssel"),
    ("S5", "Ledger und Ablage", "Stand, Ereignisketten, Bytes"),
    ("S6", "Ausgang", "Zielordner der Stellen"),
    ("K1", "S1 nach S2", "Dateifreigabe der Behörde"),
    ("K2", "S2 nach S5", "örtlich oder im Netz der Behörde"),
    ("K3", "S3 und S4 nach S5", "örtlich oder im Netz der Behörde"),
    ("K4", "S4 nach Zeitstempeldienst", "nur Verbindungen von innen nach außen"),
    ("K5", "S5 nach S6", "Dateifreigabe der Behörde"),
    ("D0", "Papieroriginal", "Lagerort der Einlieferung"),
    ("D1", "Scan, wie das Gerät ihn lieferte", "Quelle der Einlieferung"),
    ("D2", "Scanprodukt", "PDF/A des Dokuments"),
    ("D3", "Text und Metadaten", "Textebene, erkannte Wörter, Angaben der Schritte"),
    ("D4", "Transfervermerk oder Scanvermerk", "XML im PDF"),
    ("D5", "Sicherungsdaten", "Siegel, Zeitstempel, Beweisnachweise"),
    ("D6", "Protokolldaten", "Ereignisketten"),
)

#: Chapter and what people have to write; nothing of it can be read off a configuration.
TO_WRITE: Final = (
    ("1 Einleitung", "Anwendungsbereich, Ziel, Inkraftsetzung und Unterschrift der Leitung"),
    ("1 Einleitung", "Rechtsgrundlage je Dokumentklasse mit Begründung"),
    ("2 Verfahren", "Weg des Papiers: Öffnen, Stempeln, Sortieren, Vorbereiten (A.DV.1, A.DV.2)"),
    ("2 Verfahren", "Umgang mit Zweifelsfällen und mit Manipulationsverdacht (A.O.1j)"),
    ("2 Verfahren", "Wer die Übereinstimmung prüft, wann und woran (A.SC.8, A.NB.3)"),
    ("2 Verfahren", "Aufbewahrung, Rückgabe und Vernichtung des Papiers (A.O.1i)"),
    ("3 Rollen", "Personen zu den Rollen, Vertretung, Vier-Augen-Regeln (A.O.1)"),
    ("3 Rollen", "Schulung, Unterweisung und Verpflichtung (A.P.1 bis A.P.4)"),
    ("4 Technik", "Geräteliste mit Inventarnummer, Firmware, Abnahme (A.O.2, A.O.3)"),
    ("4 Technik", "Räume, Zutritt, Netzplan, Schutz vor Schadprogrammen (A.T.2, A.T.3)"),
    ("4 Technik", "Sicherungskonzept und Wiederanlauf; Übergabe an Akte und Langzeitspeicher"),
    ("4 Technik", "Überprüfung der Maßnahmen mit Termin (A.O.4, ab „hoch“ A.AM.G.3)"),
    ("4 Technik", "Datenschutz: Rechtsgrundlagen und Fristen zum Datenfeldverzeichnis"),
)

NETWORK: Final = """\
Der Netzplan ist Sache der Behörde. Nach der Konfiguration verlassen nur diese Verbindungen den
Rechner, alle von innen aufgebaut:
"""
