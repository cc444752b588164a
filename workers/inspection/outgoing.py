"""What may leave the house under its seal: a whole PDF that takes one without breaking.

The same look serves twice: before anything is taken in, so that whoever hands in a file is told
at once, and again over the bytes that were stored, because those are what is sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pikepdf

from ingest.content import kind_of
from ingest.content.pdf import PdfFindings, inspect_pdf
from ingest.content.pdf_files import DAMAGE
from ingest.document import Assignment, Facts, Outcome, SourceKind
from ingest.errors import PasswordNeeded, Unclear, Unreadable
from ingest.product import PRODUCT

DETECTOR: Final = f"{PRODUCT} outgoing/1"
_NO_CHANGES: Final = 1
#: ISO 19005-1 wants an appearance of every field and a CIDSet of every font part; a seal has
#: a field without one, its visible form a font without the other.
_BROKEN_BY_SEALS: Final = "1"
_AGAIN: Final = "Bitte das Schreiben neu als PDF/A-2 oder PDF/A-3 ausgeben und erneut einreichen."


def inspect(assignment: Assignment, path: Path) -> Outcome:
    """Inspect the only source of an outgoing batch, whose bytes are at `path`.

    Its pages are counted and become no pages of a batch: nothing is done with any of them.

    Raises:
        Unclear: As `require_sealable`.
    """
    (source,) = assignment.batch.sources
    found = require_sealable(path)
    facts: Facts = {**found.facts(), "electronic": True, "as_is": False, "findings": []}
    made = replace(source, kind=SourceKind.PDF, pages=len(found.pages), facts=facts)
    return Outcome(sources=(made,), facts={"pages": 0, "detector": DETECTOR})


def require_sealable(path: Path) -> PdfFindings:
    """Return what the PDF at `path` is.

    Raises:
        Unclear: It cannot leave with a seal; the text says why and what to do.
    """
    if kind_of(path) is not SourceKind.PDF:
        text = f"Die Datei ist kein PDF. {_AGAIN}"
        raise Unclear("not a PDF", operator_text=text, code="not_sealable")
    try:
        found = inspect_pdf(path)
        certified = _certified(path)
    except PasswordNeeded as error:
        raise _refused("es ist verschlüsselt", "encrypted") from error
    except (Unreadable, *DAMAGE) as error:
        raise _refused("es ist nicht lesbar", str(error)) from error
    for applies, reason in _reasons(found, certified):
        if applies:
            raise _refused(reason, reason)
    return found


def _reasons(found: PdfFindings, certified: int | None) -> Iterator[tuple[bool, str]]:
    yield found.encrypted, "es ist verschlüsselt oder in seiner Nutzung eingeschränkt"
    yield found.repaired, "es ist beschädigt und wird von jedem Programm anders gelesen"
    yield found.xfa, "es ist ein XFA-Formular, dessen Inhalt erst das Anzeigeprogramm erzeugt"
    yield (
        certified == _NO_CHANGES,
        "es ist zertifiziert und lässt keine Änderung zu, auch kein weiteres Siegel",
    )
    claim = found.pdfa_claim or ""
    yield (
        claim.startswith(_BROKEN_BY_SEALS),
        f"es nennt sich PDF/A-{claim}, und das wäre es mit einem Siegel nicht mehr",
    )


def _refused(reason: str, message: str) -> Unclear:
    text = f"Das PDF kann nicht gesiegelt werden: {reason}. {_AGAIN}"
    return Unclear(f"not sealable: {message}", operator_text=text, code="not_sealable")


def _certified(path: Path) -> int | None:
    """Return what a certifying signature allows (ISO 32000-1, 12.8.2.2), None without one."""
    with pikepdf.open(path, suppress_warnings=True) as pdf:
        permissions = pdf.Root.get("/Perms")
        signature = None if permissions is None else permissions.get("/DocMDP")
        if signature is None:
            return None
        references: Any = signature.get("/Reference", pikepdf.Array())
        for one in references.as_list():
            if str(one.get("/TransformMethod", "")) == "/DocMDP":
                return int(one.get("/TransformParams", pikepdf.Dictionary()).get("/P", 2))
        return 2


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Return what looks at a file before it is taken in; runs in a limited child.

    It takes `{"path": str}` and returns `{"pages": int, "signatures": int}`.

    Raises:
        Unclear: While serving, as `require_sealable`.
    """
    del setup

    def serve(request: Facts) -> Facts:
        found = require_sealable(Path(request["path"]))
        return {"pages": len(found.pages), "signatures": found.signatures}

    return serve
