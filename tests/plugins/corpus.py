"""What has to become of each real file: the manifest's words, turned into expectations.

Rules are read from above; the first one whose kind and words fit decides. A file that no
rule knows is an error of this table, not a file that may do as it likes.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

DELIVERED, HELD, QUARANTINED, UNACCEPTED = "delivered", "held", "quarantined", "unaccepted"
Pages = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """How an arrival may end.

    Attributes:
        ends: Any of these is right.
        original: Where it is delivered, the untouched original lies beside it.
        documents: The pages of each document, None where nobody said.
        profile: What it is handed in under.
        says: Words that have to stand in the findings of the sidecar.
        inside: Names of the files inside that become documents of their own.
    """

    ends: frozenset[str]
    original: bool = False
    documents: Pages | None = None
    profile: str = "posteingang"
    says: str = ""
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A file of the corpus with what is to become of it."""

    path: Path
    name: str
    kind: str
    sha256: str
    expectation: Expectation


def _ends(*names: str, original: bool = False) -> Expectation:
    return Expectation(ends=frozenset(names), original=original)


_PAPER = _ends(DELIVERED)
_ELECTRONIC = _ends(DELIVERED, original=True)
_SET_ASIDE = _ends(HELD, QUARANTINED)
_DAMAGED = _ends(DELIVERED, HELD, QUARANTINED, original=True)
_HUGE = _ends(DELIVERED, HELD, QUARANTINED)

#: Kind, words of the manifest's `expected`, what follows.
RULES: tuple[tuple[str, str, Expectation], ...] = (
    ("pdf_broken", "must go to quarantine", _SET_ASIDE),
    ("pdf_broken", "0 pages", _SET_ASIDE),
    ("pdf_broken", "", _DAMAGED),
    ("pdf_encrypted", "password needed", _SET_ASIDE),
    ("pdf_encrypted", "opens without password", _ELECTRONIC),
    ("image_tricky", "20000 x 20000", _ends(QUARANTINED)),
    ("image_tricky", "very large pixel area", _SET_ASIDE),
    ("image_tricky", "damaged image", _HUGE),
    ("image_tricky", "IFD chain loops", _ends(DELIVERED, HELD)),
    ("image_tricky", "decoder must either", _HUGE),
    ("image_tricky", "ZIP in watch folder", _ends(DELIVERED, HELD, UNACCEPTED, original=True)),
    ("image_tricky", "", _PAPER),
    ("pdf_structure", "very large pixel area", _HUGE),
    ("pdf_structure", "XFA form", _ends(DELIVERED, HELD, original=True)),
    ("pdf_structure", "portfolio", _ends(DELIVERED, HELD, original=True)),
    ("pdf_structure", "", _PAPER),
    ("signed", "could not open", _ends(DELIVERED, HELD, original=True)),
    ("signed", "", _ELECTRONIC),
    ("pdf_german", "", _ELECTRONIC),
    ("pdfa", "", _ELECTRONIC),
    ("names", "", _PAPER),
    ("mail", "", _ELECTRONIC),
    ("mail_demail_spec_built", "", _ELECTRONIC),
    ("xml_gov", "", _ELECTRONIC),
    ("scan_other", "", _PAPER),
    ("newspaper_nogt", "", _PAPER),
    ("page_antiqua", "", _PAPER),
    ("page_fraktur", "", _PAPER),
    ("page_modern_sim", "", _PAPER),
    ("barcode", "", _PAPER),
)
#: Which pages make which document, by the end of the file's name.
DOCUMENTS: dict[str, Pages] = {
    "patch-code-t-double.pdf": ((1,), (4,)),
    "patch-code-t-middle.pdf": ((1,), (3,)),
    "patch-code-t-middle.tiff": ((1,), (3,)),
    "several-patcht-codes.pdf": ((1, 2), (4, 5), (7,)),
    "split-by-asn-1.pdf": ((1, 2), (3,), (4, 5, 6), (7, 8), (9, 10)),
    "split-by-tag-basic.pdf": ((1, 2, 3, 4, 5, 6),),
    "barcode-39-asn-123.pdf": ((1,),),
    "barcode-128-asn-too-large.pdf": ((1,),),
    "patch-code-t-middle-unreadable.pdf": ((1, 2, 3),),
}
#: Nothing but a separator sheet: a person looks whether a letter was forgotten.
SHEETS = ("naps2__patcht.jpg", "naps2__skewed.jpg", "patch-code-t.pdf")
#: Own scans in which the device may have swapped letters (TR-03138, A.SC.12).
SWAPPED = ("ocrmypdf__jbig2.pdf",)
#: What lies inside and becomes a document of its own, by the end of the file's name.
INSIDE = {
    "fileAttachment.pdf": ("KSBASE.WQ2",),
    "pdfjs__attachment.pdf": ("foo.txt",),
    "testPDFPackage.pdf": ("PDF1.pdf", "PDF2.pdf"),
    "6-8-t02-pass-g.pdf": ("Undefined.txt",),
    "6-8-t02-fail-d.pdf": ("MathML.xml",),
}
#: What must be told with the delivery, by the end of the file's name.
SAYS = {
    "javascript.pdf": "JavaScript",
    "livecycle.pdf": "XFA",
    "xfa_issue14315.pdf": "XFA",
    "258578.pdf": "XFA",
    "fileAttachment.pdf": "KSBASE.WQ2",
    "pdfjs__attachment.pdf": "foo.txt",
    "SEPA_Prenotification.pdf": "zugferd-invoice.xml",
    "testPDFPackage.pdf": "Portfolio",
    "nocopy.pdf": "eingeschränkt",
    "form_dd0293.pdf": "eingeschränkt",
    "OneByteMissing.pdf": "Beschädigt",
    "bad_page_303226.pdf": "Beschädigt",
}
ASN = ("asn-1.pdf", "asn-123.pdf", "asn-too-large.pdf", "C_asn_barcodes.pdf")


def folder() -> Path | None:
    """Return the corpus folder, None where there is none."""
    named = os.environ.get("SCANSTRASSE_CORPUS")
    beside = Path(__file__).parents[3] / "shared" / "corpus"
    found = Path(named) if named else beside
    return found if (found / "MANIFEST.tsv").is_file() else None


def samples(corpus: Path) -> Iterator[Sample]:
    """Yield every file that arrives by itself.

    Raises:
        LookupError: No rule knows what is to become of a file.
    """
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["kind"] in {"ground_truth", "stack_expected"}:
                continue
            path = corpus / row["path"]
            yield Sample(
                path=path,
                name=row["path"].replace("/", "__"),
                kind=row["kind"],
                sha256=row["sha256"],
                expectation=_expectation(path, row["kind"], row["expected"]),
            )


def _expectation(path: Path, kind: str, words: str) -> Expectation:
    if kind == "stack":
        return _stack(path)
    for wanted, fragment, expectation in RULES:
        if kind == wanted and fragment in words:
            return _special(path.name, kind, expectation)
    raise LookupError(f"{path.name}: no rule for kind {kind}: {words}")


def _special(name: str, kind: str, expectation: Expectation) -> Expectation:
    pages = next((found for end, found in DOCUMENTS.items() if name.endswith(end)), None)
    profile = "stapel-asn" if name.endswith(ASN) else expectation.profile
    ends = frozenset({HELD}) if name.endswith((*SHEETS, *SWAPPED)) else expectation.ends
    inside = next((names for end, names in INSIDE.items() if name.endswith(end)), ())
    says = next((words for end, words in SAYS.items() if name.endswith(end)), "")
    if kind == "signed" and name.endswith(".pdf") and "pades-5-signatures" not in name:
        says = "signiert"
    return replace(
        expectation, documents=pages, profile=profile, ends=ends, says=says, inside=inside
    )


def _stack(path: Path) -> Expectation:
    truth = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    pages = tuple(tuple(document["pages"]) for document in truth["documents"])
    profile = "stapel-duplex" if truth["blank_pages"] else "posteingang"
    if path.name.endswith(ASN):
        profile = "stapel-asn"
    return Expectation(ends=frozenset({DELIVERED}), documents=pages, profile=profile)
