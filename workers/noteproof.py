"""A note looked at a second way: read from the bytes, held against its schema and against itself.

Whoever writes a note and whoever seals it share no code and no facts but these bytes. A note
of a replacing scan is whole only if it is valid against `transfervermerk-1.xsd`, if nothing
that BSI TR-03138 V1.5 demands is "nicht erfasst", if its figures agree with one another, and
if it claims no look that its own account of the check does not show.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]  # it ships no annotations

from ingest.document import NOT_APPLICABLE, NOT_RECORDED

NAMESPACE: Final = "urn:scanstrasse:transfervermerk:1"
SCANVERMERK_NAMESPACE: Final = "urn:scanstrasse:scanvermerk:1"
#: What each kind of note is called inside a PDF.
FILENAMES: Final = MappingProxyType(
    {NAMESPACE: "transfervermerk.xml", SCANVERMERK_NAMESPACE: "scanvermerk.xml"}
)
TR_VERSION: Final = "BSI TR-03138 V1.5"
MAX_BYTES: Final = 64 * 1024 * 1024
_SCHEMAS: Final = MappingProxyType(
    {NAMESPACE: "transfervermerk-1.xsd", SCANVERMERK_NAMESPACE: "scanvermerk-1.xsd"}
)
#: Fields that TR-03138 V1.5 demands (M in docs/transfer-note.md) and a schema takes as text.
_DEMANDED: Final = (
    *("Ersteller/Kuerzel", "Ersteller/Rolle"),
    *("Auftragnehmer/Name", "Auftragnehmer/Ort", "Auftragnehmer/Einheit"),
    *("Verfahren/Bezeichnung", "Verfahren/Auspraegung", "Verfahren/Version", "Verfahren/Pfleger"),
    *("Erfassungssystem/Geraet", "Einstellungen/Profil/Name", "Eingang/Eingangsdatum"),
    *("Eingang/Kanal", "Schutzbedarf/Begruendung"),
    *("Schutzbedarf/Rechtsgrundlage", "Uebereinstimmung/Erklaerung"),
)
#: Files that are nobody's incoming mail have no date of receipt.
_MAY_NOT_APPLY: Final = ("Eingang/Eingangsdatum",)
_CHECK: Final = "Qualitaetssicherung"
_MATCHES: Final = ("Bildlich", "Inhaltlich")
_SHOWN: Final = 5


class NoteBroken(Exception):
    """The note is missing, not whole, or another document's; the message is German."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a note has to be about, by what the ledger names and not by what a step said of it.

    Attributes:
        profile_sha256: Of the class that the document goes under.
        pages: Digests of its images in order.
        composed: Digest of the PDF before the note.
        sealed: Digest of the PDF that goes into the seal, where the note lies beside it.
        confirmed: The check of scan against paper has confirmed the match.
        looked_at: A person judged this document.
    """

    document: str
    revision: int
    batch: str
    profile_sha256: str
    pages: tuple[str, ...]
    composed: str
    sealed: str | None
    confirmed: bool
    looked_at: bool


class Note:
    """A note as its bytes say it, valid against its schema.

    Attributes:
        namespace: Which kind of note it is.
        content: Its bytes.
    """

    def __init__(self, content: bytes) -> None:
        """Read `content`.

        Raises:
            NoteBroken: It is no XML, of no known kind, or not valid against its schema.
        """
        self.content = content
        self._root = _parsed(content)
        self.namespace = str(etree.QName(self._root).namespace)
        if faults := schema_faults(self._root):
            raise NoteBroken(f"Der Vermerk entspricht nicht seinem Schema: {faults[0]}")

    @property
    def is_supplement(self) -> bool:
        """Whether it is an Ergänzungsvermerk."""
        return str(etree.QName(self._root).localname) == "Ergaenzungsvermerk"

    @property
    def is_transfer(self) -> bool:
        """Whether it is a Transfervermerk, not a Scanvermerk or Ergänzungsvermerk."""
        return str(etree.QName(self._root).localname) == "Transfervermerk"

    def text(self, path: str) -> str | None:
        """Return the text of the first element at `path` (`Vermerk/Kennung`), None without."""
        found = self._root.find(self._qualified(path))
        return None if found is None else str(found.text or "")

    def texts(self, path: str) -> list[str]:
        """Return the texts of all elements at `path`."""
        return [str(found.text or "") for found in self._root.findall(self._qualified(path))]

    def count(self, path: str) -> int:
        """Return how many elements there are at `path`."""
        return len(self._root.findall(self._qualified(path)))

    def require_whole(self) -> None:
        """Refuse a transfer note that lacks something or contradicts itself.

        Raises:
            NoteBroken: The message names what, at most five things.
        """
        wrong = [*self._missing(), *self._miscounted(), *self._overstated()]
        if wrong:
            raise NoteBroken("; ".join(wrong[:_SHOWN]))

    def require_about(self, expected: Expected) -> None:
        """Refuse a transfer note of something else, or one that claims more than was recorded.

        Raises:
            NoteBroken: The message names what, at most five things.
        """
        for path, value, what in (
            ("Scanprodukt/Kennung", expected.document, "Der Vermerk gehört zu Dokument {}"),
            ("Scanprodukt/Fassung", str(expected.revision), "Der Vermerk gehört zu Fassung {}"),
            ("Stapel/Kennung", expected.batch, "Der Vermerk gehört zu Stapel {}"),
            ("Einstellungen/Profil/Sha256", expected.profile_sha256, "Klasse des Vermerks: {}"),
            ("Pruefsummen/PdfVorVermerk", expected.composed, "Der Vermerk nennt eine andere PDF"),
            ("Pruefsummen/PdfVorSiegel", expected.sealed, "Der Vermerk nennt eine andere PDF"),
        ):
            if self.text(path) != value:
                raise NoteBroken(what.format(self.text(path)))
        if self.texts("Pruefsummen/Abbild") != list(expected.pages):
            raise NoteBroken("Der Vermerk nennt andere Abbilder als das Dokument hat")
        claimed = self.text("Uebereinstimmung/Grundlage")
        if claimed != "noch nicht bestätigt" and not expected.confirmed:
            raise NoteBroken("Der Vermerk bestätigt eine Übereinstimmung, die nicht bestätigt ist")
        if (self.text(f"{_CHECK}/DiesesDokument/Angesehen") == "ja") != expected.looked_at:
            raise NoteBroken(
                "Der Vermerk und die Qualitätssicherung sagen über die Prüfung Anderes"
            )

    def _qualified(self, path: str) -> str:
        return "/".join(f"{{{self.namespace}}}{part}" for part in path.split("/"))

    def _missing(self) -> Iterator[str]:
        for path in _DEMANDED:
            text = self.text(path)
            if (
                text == NOT_RECORDED
                or not text
                or (text == NOT_APPLICABLE and "Eingang" not in path)
            ):
                yield f"{path} fehlt"
        creator, house = self.text("Ersteller/Kuerzel"), self.text("Auftragnehmer/Name")
        if creator is not None and house is not None and plain(creator) == plain(house):
            yield "Ersteller ist die Organisation, keine natürliche Person"

    def _miscounted(self) -> Iterator[str]:
        pages, images = self.text("Zaehlung/Seiten"), self.count("Einstellungen/Abbild")
        if not str(images) == pages == str(self.count("Pruefsummen/Abbild")):
            yield f"Seiten ({pages}), Abbilder ({images}) und Prüfsummen sind nicht gleich viele"
        if self.text("Zaehlung/Nachgescannt") != str(self.count("Zaehlung/Nachscan")):
            yield "Zahl und Liste der nachgescannten Abbilder sind nicht gleich"
        counted = self.text("Zaehlung/ErwarteteBlaetter") != NOT_RECORDED
        if counted == (self.text("Zaehlung/Abgleich") == "nicht gezählt"):
            yield "erwartete Blattzahl und Abgleich widersprechen sich"

    def _overstated(self) -> Iterator[str]:
        """Yield what is claimed of the match and does not follow from what was checked."""
        claimed = [self.text(f"Uebereinstimmung/{one}") in ("true", "1") for one in _MATCHES]
        ground, result = self.text("Uebereinstimmung/Grundlage"), self.text(f"{_CHECK}/Ergebnis")
        looked_at = self.text(f"{_CHECK}/DiesesDokument/Angesehen") == "ja"
        replacing = self.text("Vermerk/Behandlung") == "ersetzend"
        if replacing != claimed[1]:
            yield "Behandlung und inhaltliche Übereinstimmung widersprechen sich"
        if any(claimed) == (result == "noch nicht bestätigt"):
            yield "Übereinstimmung und Ergebnis der Prüfung widersprechen sich"
        if any(claimed) == (ground == "noch nicht bestätigt"):
            yield "Übereinstimmung und ihre Grundlage widersprechen sich"
        if (ground == "dieses Dokument geprüft") != (any(claimed) and looked_at):
            yield "es wird eine Prüfung dieses Dokuments behauptet, die nicht stattfand"
        if ground == "Stichprobe des Stapels" and not self.count(f"{_CHECK}/Stichprobe"):
            yield "die Stichprobe, auf der die Übereinstimmung beruht, fehlt"
        if looked_at:
            yield from self._beyond_verdict(claimed)

    def _beyond_verdict(self, claimed: list[bool]) -> Iterator[str]:
        if self.text(f"{_CHECK}/DiesesDokument/Kuerzel") is None:
            yield "wer dieses Dokument prüfte, fehlt"
        found = [self.text(f"{_CHECK}/DiesesDokument/{one}") in ("true", "1") for one in _MATCHES]
        if any(said and not seen for said, seen in zip(claimed, found, strict=True)):
            yield "die Übereinstimmung geht über das hinaus, was die prüfende Person feststellte"


def schema_faults(root: Any) -> list[str]:
    """Return where a note differs from the schema of its namespace, nothing if it is valid.

    Raises:
        NoteBroken: There is no schema for that namespace.
    """
    namespace = str(etree.QName(root).namespace)
    if namespace not in _SCHEMAS:
        raise NoteBroken(f"Der Vermerk ist von unbekannter Art ({namespace[:80]}).")
    schema = _schema(_SCHEMAS[namespace])
    schema.validate(root)
    return [str(fault.message) for fault in schema.error_log]


def attached(path: Path) -> bytes | None:
    """Return the note inside a PDF, the Transfervermerk before a Scanvermerk; None without one.

    Raises:
        NoteBroken: The file or its attachment cannot be read, or is too large for a note.
    """
    import pikepdf

    try:
        with pikepdf.open(path) as pdf:
            for name in FILENAMES.values():
                if name in pdf.attachments:
                    content: bytes = pdf.attachments[name].get_file().read_bytes()
                    if len(content) > MAX_BYTES:
                        raise NoteBroken("Der Vermerk ist zu groß.")
                    return content
    # A damaged file can fail anywhere between its objects and the attachment in it.
    except (pikepdf.PdfError, ValueError, LookupError, RuntimeError, AttributeError) as error:
        raise NoteBroken(f"Der Vermerk ist nicht erreichbar: {type(error).__name__}") from error
    except TypeError as error:
        raise NoteBroken("Der Vermerk ist nicht erreichbar: TypeError") from error
    return None


def pages_in(path: Path) -> int:
    """Return how many pages a PDF has.

    Raises:
        NoteBroken: It cannot be read.
    """
    import pikepdf

    try:
        with pikepdf.open(path) as pdf:
            return len(pdf.pages)
    except (pikepdf.PdfError, ValueError, RuntimeError) as error:
        raise NoteBroken(f"Die PDF ist nicht lesbar: {type(error).__name__}") from error


def plain(text: str) -> str:
    """Return letters and digits of a name in lower case, for comparing names."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _parsed(content: bytes) -> Any:
    if len(content) > MAX_BYTES:
        raise NoteBroken("Der Vermerk ist zu groß.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoteBroken(f"Der Vermerk ist kein lesbares XML: {type(error).__name__}") from error
    if root.getroottree().docinfo.doctype:
        raise NoteBroken("Der Vermerk enthält eine DTD.")
    return root


@functools.cache
def _schema(name: str) -> Any:
    content = resources.files("workers").joinpath("schemas", name).read_bytes()
    return etree.XMLSchema(etree.fromstring(content))
