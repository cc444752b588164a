"""What a PDF is before anybody touches it: pages, locks, signatures, enclosures, surprises.

Nothing is rendered, run or changed. qpdf (pikepdf) reads the structure and pdfium the pages;
where they disagree the file is damaged. A signed file that qpdf refuses is still an electronic
original: then the raw bytes are searched for signatures and pdfium alone counts the pages.
One pass over all objects finds signatures, enclosures and scripts even where the catalogue
hides them, as files changed after signing do.
"""

from __future__ import annotations

import itertools
import mmap
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import pikepdf

from ingest.content.pdf_pages import PdfPage, page_count, pdf_pages
from ingest.document import Facts
from ingest.errors import PasswordNeeded, Unreadable

T = TypeVar("T")
PdfClass = Literal["scan", "born_digital", "mixed"]

_MOST_OBJECTS: Final = 500_000
_MOST_PAGES: Final = 20_000
_METADATA_BYTES: Final = 4 * 1024 * 1024
#: What pikepdf raises when it meets the wrong type, a missing key or a broken stream.
_DAMAGE: Final = (
    pikepdf.PdfError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
)
_BYTE_RANGE: Final = re.compile(rb"/ByteRange\s*\[")
_PART: Final = re.compile(rb"pdfaid:part\s*(?:=\s*[\"']|>)\s*(\d)")
_CONFORMANCE: Final = re.compile(rb"pdfaid:conformance\s*(?:=\s*[\"']|>)\s*([A-Za-z])")
#: Segments of an alphabet and of text drawn from it (ITU-T T.88, 7.3).
_SYMBOL_SEGMENTS: Final = (0, 4, 6, 7)
_JBIG2_HEADER: Final = 11
_JBIG2_SHORT: Final = 4
_JBIG2_LARGE: Final = 0x40
_SPEC_DEPTH: Final = 4


@dataclass(kw_only=True)
class PdfFindings:
    """Everything inspection says about one PDF.

    Attributes:
        pages: None for a page that cannot be opened.
        signatures: Signature dictionaries; the usage rights of a form's maker are not one.
        owner_password: Encrypted, but opens without a password (restrictions only).
        attachments: Names of embedded files, each once.
        pdfa_claim: Such as `2b`, what the file says of itself, unchecked.
        jbig2: Images packed as JBIG2, of whatever kind.
        jbig2_symbol: Images whose letters are drawn from a shared alphabet, which may have been
            substituted for one another by the device.
        warnings: What qpdf had to mend while reading, English.
    """

    pages: tuple[PdfPage | None, ...] = ()
    signatures: int = 0
    encrypted: bool = False
    owner_password: bool = False
    attachments: list[str] = field(default_factory=list)
    portfolio: bool = False
    javascript: bool = False
    xfa: bool = False
    acroform: bool = False
    usage_rights: bool = False
    pdfa_claim: str | None = None
    jbig2: bool = False
    jbig2_symbol: bool = False
    structure_readable: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def repaired(self) -> bool:
        """Whether reading it took repairs, or one of the two readers failed."""
        return bool(self.warnings) or not self.structure_readable or None in self.pages

    @property
    def content_class(self) -> PdfClass:
        """What its pages are, taken together; empty pages go with the others."""
        kinds = {page.kind for page in self.pages if page is not None and page.kind != "empty"}
        if kinds == {"scan"}:
            return "scan"
        return "mixed" if "scan" in kinds else "born_digital"

    @property
    def electronic(self) -> bool:
        """Whether it is an electronic original, not a picture of paper."""
        return self.content_class != "scan" or any(
            (self.signatures, self.attachments, self.portfolio, self.xfa, self.acroform)
        )

    def facts(self) -> Facts:
        """Return them as the source's facts."""
        return {
            "electronic": self.electronic,
            "class": self.content_class,
            "signed": self.signatures > 0,
            "signatures": self.signatures,
            "encrypted": self.encrypted,
            "owner_password": self.owner_password,
            "attachments": self.attachments,
            "javascript": self.javascript,
            "xfa": self.xfa,
            "acroform": self.acroform,
            "portfolio": self.portfolio,
            "repaired": self.repaired,
            "pdfa_claim": self.pdfa_claim,
            "jbig2": self.jbig2,
            "jbig2_symbol": self.jbig2_symbol,
        }


def inspect_pdf(path: Path) -> PdfFindings:
    """Read what the PDF at `path` is.

    Raises:
        PasswordNeeded: It opens only with a password, or with encryption nobody here knows.
        Unreadable: It has no page tree, no pages, or cannot be opened at all.
    """
    try:
        with pikepdf.open(path, suppress_warnings=True) as document:
            findings = _structure(document)
    except pikepdf.PasswordError as error:
        raise _locked(error) from error
    except (*_DAMAGE, RecursionError) as error:
        if "encrypt" in str(error).lower():
            raise _locked(error) from error
        findings = _from_bytes(path, error)
    findings.signatures = max(findings.signatures, _raw_signatures(path, findings))
    findings.pages = _pages(path)
    return findings


def _locked(error: Exception) -> PasswordNeeded:
    return PasswordNeeded(
        f"encrypted: {error}",
        operator_text="Das PDF lässt sich nur mit einem Kennwort öffnen.",
    )


def _no_pages(reason: str) -> Unreadable:
    return Unreadable(
        f"no pages: {reason}",
        operator_text="Das PDF ist beschädigt und enthält keine lesbaren Seiten.",
    )


def _structure(document: pikepdf.Pdf) -> PdfFindings:
    count = len(document.pages)
    if count == 0:
        raise _no_pages("empty page tree")
    if count > _MOST_PAGES:
        raise _no_pages(f"{count} pages")
    root = document.Root
    form: Any = _tried(lambda: root.get("/AcroForm"))
    findings = PdfFindings(
        encrypted=document.is_encrypted,
        owner_password=document.is_encrypted,
        portfolio=_has(root, "/Collection"),
        xfa=_has(form, "/XFA") or bool(_tried(lambda: root.get("/NeedsRendering", False))),
        acroform=bool(_tried(lambda: len(form.Fields))),
        usage_rights=_has(_tried(lambda: root.get("/Perms")), "/UR3"),
        pdfa_claim=_tried(lambda: _claim(root.get("/Metadata"))),
    )
    _walk(document, findings)
    findings.warnings = tuple(str(warning) for warning in document.get_warnings())
    return findings


def _tried(look: Callable[[], T]) -> T | None:
    """Return what `look` finds; damage at that place is as good as nothing there."""
    try:
        return look()
    except _DAMAGE:
        return None


def _has(place: Any, key: str) -> bool:
    return _tried(lambda: key in place) or False


def _walk(document: pikepdf.Pdf, findings: PdfFindings) -> None:
    for item in itertools.islice(document.objects, _MOST_OBJECTS):
        try:
            _look(item, findings)
        except _DAMAGE:
            continue  # a broken object hides at most what it holds itself
    if findings.usage_rights and findings.signatures:
        findings.signatures -= 1
    findings.attachments = list(dict.fromkeys(findings.attachments))


def _look(item: Any, findings: PdfFindings) -> None:
    """Let the text of an object's dictionary decide cheaply whether to look closer."""
    found = _dictionary(item)
    if found is None:
        return
    text, dictionary = found
    findings.javascript |= b"/S /JavaScript" in text or b"/JS " in text
    if b"/ByteRange" in text and b"/Contents" in text:
        findings.signatures += 1
    if b"/EF " in text:
        findings.attachments += _embedded(dictionary)
    if b"/JBIG2Decode" in text:
        findings.jbig2 = True
        findings.jbig2_symbol = findings.jbig2_symbol or _has_symbols(item)


def _dictionary(item: Any) -> tuple[bytes, Any] | None:
    if isinstance(item, pikepdf.Stream):
        item = item.stream_dict
    if isinstance(item, (pikepdf.Dictionary, pikepdf.Array)):
        return item.unparse(resolved=True), item
    return None


def _embedded(place: Any, depth: int = 0) -> Iterator[str]:
    """Yield the names of file specifications in `place` and directly below it."""
    if depth > _SPEC_DEPTH or not isinstance(place, (pikepdf.Dictionary, pikepdf.Array)):
        return
    if isinstance(place, pikepdf.Array):
        for entry in place:
            if not entry.is_indirect:
                yield from _embedded(entry, depth + 1)
        return
    if "/EF" in place and isinstance(place.EF, pikepdf.Dictionary):
        name = place.get("/UF", place.get("/F", None))
        yield str(name)[:255] if name is not None else "ohne Namen"
    for key in ("/FS", "/F"):
        inner = place.get(key, None)
        if isinstance(inner, pikepdf.Dictionary) and not inner.is_indirect:
            yield from _embedded(inner, depth + 1)


def _has_symbols(stream: Any) -> bool:
    """Tell whether a JBIG2 image draws from an alphabet, by its segments' types.

    What cannot be told counts as symbols: a swapped letter must not go unnoticed.
    """
    parameters = stream.get("/DecodeParms")
    if parameters is not None and b"/JBIG2Globals" in parameters.unparse(resolved=True):
        return True
    if stream.Filter not in (pikepdf.Name.JBIG2Decode, pikepdf.Array([pikepdf.Name.JBIG2Decode])):
        return True  # packed once more: the segments cannot be read here
    content = stream.read_raw_bytes()
    at = 0
    while at + _JBIG2_HEADER <= len(content):
        kind = content[at + 4] & 0x3F
        referred = content[at + 5] >> 5
        if kind in _SYMBOL_SEGMENTS or referred > _JBIG2_SHORT or content[at + 4] & _JBIG2_LARGE:
            return True  # many references or pages: embedded images have neither
        at += 6 + referred + 1
        at += 4 + int.from_bytes(content[at : at + 4], "big")
    return False


def _claim(metadata: Any) -> str | None:
    if not isinstance(metadata, pikepdf.Stream):
        return None
    content = metadata.read_raw_bytes()[:_METADATA_BYTES]
    filters = metadata.get("/Filter")
    if filters is not None and b"/FlateDecode" in filters.unparse(resolved=True):
        content = zlib.decompressobj().decompress(content, _METADATA_BYTES)
    part, conformance = _PART.search(content), _CONFORMANCE.search(content)
    if part is None:
        return None
    return (part[1] + (conformance[1] if conformance else b"")).decode("ascii").lower()


def _raw_signatures(path: Path, findings: PdfFindings) -> int:
    """Count signed ranges in the file's bytes: they can only stand there uncompressed."""
    if path.stat().st_size == 0:
        return 0
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        count = sum(1 for _ in _BYTE_RANGE.finditer(content))
    return max(0, count - int(findings.usage_rights))


def _from_bytes(path: Path, error: Exception) -> PdfFindings:
    """Take a file that qpdf refuses, if it is signed and pdfium opens all its pages."""
    findings = PdfFindings(structure_readable=False, warnings=(str(error),))
    if isinstance(error, Unreadable) or not _raw_signatures(path, findings):
        raise _no_pages(str(error)) from error
    if page_count(path) == 0:
        raise _no_pages(str(error)) from error
    return findings


def _pages(path: Path) -> tuple[PdfPage | None, ...]:
    pages = tuple(pdf_pages(path))
    if all(page is None for page in pages):
        raise _no_pages(f"pdfium opens none of {len(pages)}")
    return pages
