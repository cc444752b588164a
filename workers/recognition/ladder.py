"""The ladder for foreign PDFs: how close to the original can valid PDF/A be had.

`repaired`: the pages themselves, without what PDF/A forbids. `ocrmypdf`: converted by its PDF/A
backend, where a Ghostscript is installed that it accepts. `rendered`: every page as an image with
its text, the original attached. `original`: no copy at all, the document goes on with the finding.
Each rung is left only when the validator does not pass its result; a file of whatever damage ends
on one of them.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, pdfa

from ingest.content.pdf_pages import open_pdf
from ingest.errors import CheckFailed, Dangerous, Misconfigured, Outage
from workers.recognition import archive, likeness, scans
from workers.recognition.images import packed
from workers.recognition.native import native_words
from workers.recognition.overlay import lay_text
from workers.recognition.pagefile import PageFile
from workers.recognition.repair import SIGNATURE_REMOVED, Finding, neutralise
from workers.recognition.sheets import Desk, Sheet
from workers.recognition.substitution import FONTS_REPLACED, embed, replacements, write_widths
from workers.recognition.textlayer import TextLayer

log = logging.getLogger(__name__)

_RENDERED_DPI: Final = 200
_RENDERED_QUALITY: Final = {"quality": 88, "subsampling": 0}
_ATTACHED: Final = "original.pdf"
#: Folders of this machine in messages of libraries; they are nobody's business.
_PATHS: Final = re.compile(r"(?:/[\w.-]+)+/")


@dataclass(kw_only=True)
class Climb:
    """What came of the ladder.

    Attributes:
        path: The valid PDF/A, None on the last rung.
        findings: Code and German text, shown beside the document.
        missed: The better rungs, each with the reason why it was not reached, English.
    """

    rung: str
    path: Path | None
    findings: list[Finding] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def climb(desk: Desk, workspace: Path, title: str) -> Climb:
    """Make the best copy that passes the validator.

    Raises:
        CheckFailed: A page that is one's own scan does not decode.
    """
    candidate, plain = workspace / "candidate.pdf", workspace / "repaired.pdf"
    target = workspace / "composed.pdf"
    findings: list[Finding] = []
    rungs: tuple[tuple[str, Callable[[], None]], ...] = (
        ("repaired", lambda: _repaired(desk, plain, target, title, findings)),
        ("ocrmypdf", lambda: _converted(plain, target, candidate)),
        ("rendered", lambda: _rendered(desk, target, workspace / "draft.pdf", title)),
    )
    reasons: list[str] = []
    for rung, attempt in rungs:
        reason = _reason(attempt)
        if reason is None:
            told = _told(rung, desk, findings)
            return Climb(rung=rung, path=target, findings=told, missed=reasons)
        log.info("rung not reached", extra={"rung": rung, "reason": reason})
        reasons.append(f"{rung}: {reason}")
    text = "Eine durchsuchbare PDF/A-Kopie war nicht herstellbar; das Original liegt bei."
    findings.append({"code": "no_copy", "text": text, "detail": " | ".join(reasons)[:2000]})
    findings = [finding for finding in findings if finding["code"] != FONTS_REPLACED]
    return Climb(rung="original", path=None, findings=findings, missed=reasons)


def _reason(attempt: Callable[[], None]) -> str | None:
    """Try a rung; say why it was not reached, None if it was."""
    try:
        attempt()
    except pdfa.PdfaError as error:
        return _PATHS.sub("", archive.reasons(error))
    except (CheckFailed, Dangerous, Misconfigured, Outage):
        raise
    except Exception as error:  # noqa: BLE001 - pikepdf, pdfium and OCRmyPDF raise anything on hostile PDFs; the next rung does without them
        return f"{type(error).__name__}: {_PATHS.sub('', str(error))}"[:500]
    return None


def _told(rung: str, desk: Desk, findings: list[Finding]) -> list[Finding]:
    """Add what holds for the copy as a whole; each finding is told once."""
    told = list({finding["code"]: finding for finding in findings}.values())
    signed = any(sheet.source.facts.get("signed") for sheet in desk.sheets)
    if signed and all(finding["code"] != SIGNATURE_REMOVED["code"] for finding in told):
        told.append(dict(SIGNATURE_REMOVED))
    if rung == "ocrmypdf":
        text = "Die Kopie ist mit OCRmyPDF und Ghostscript nach PDF/A umgewandelt."
        told.append({"code": "converted", "text": text})
    if rung != "rendered":
        return told
    told = [finding for finding in told if finding["code"] != FONTS_REPLACED]
    text = "Die Kopie zeigt die Seiten als Bild mit durchsuchbarem Text"
    text += "; das Original ist angehängt." if _whole(desk) else "; das Original liegt bei."
    return [*told, {"code": "rendered", "text": text}]


def _whole(desk: Desk) -> Sheet | None:
    """Return the first sheet if the document is exactly one PDF, all pages in order."""
    first = desk.sheets[0]
    alone = all(sheet.page.source == first.page.source for sheet in desk.sheets)
    indexes = [sheet.page.index for sheet in desk.sheets]
    if first.is_pdf and alone and indexes == list(range(first.source.pages or 0)):
        return first
    return None


def _repaired(desk: Desk, plain: Path, target: Path, title: str, findings: list[Finding]) -> None:
    with ExitStack() as opened:
        whole = _whole(desk)
        if whole is not None:
            pdf = opened.enter_context(_read(whole.path, plain.with_name("reread.pdf")))
            if len(pdf.pages) != len(desk.sheets):
                message = f"{len(pdf.pages)} pages, expected {len(desk.sheets)}"
                raise ValueError(message)
            neutralise(pdf, findings)
        else:
            pdf = _gathered(desk, opened, plain.with_name("draft.pdf"), findings)
        _embed_fonts(pdf, plain.parent, findings)
        lay_text(desk, pdf)
        archive.declare(pdf, title)
        try:
            archive.save(pdf, target)
        except pdfa.PdfaError:
            pdf.save(plain)
            raise


def _read(path: Path, scratch: Path) -> Pdf:
    """Open a PDF; one that qpdf refuses or has to mend is read again as pdfium or qpdf wrote it.

    Raises:
        PdfError: What the other reader wrote is refused as well.
        Unreadable: The other reader does not open it either.
    """
    try:
        pdf = pikepdf.open(path, suppress_warnings=True)
    except pikepdf.PdfError:
        with open_pdf(path) as document:
            document.save(scratch)
    else:
        if not pdf.get_warnings():
            return pdf
        with pdf:
            pdf.save(scratch)
    return pikepdf.open(scratch, suppress_warnings=True)


def _embed_fonts(pdf: Pdf, workspace: Path, findings: list[Finding]) -> None:
    """Embed what stands for fonts that are only named, if the pages look as before.

    Raises:
        ValueError: They do not.
    """
    chosen = replacements(pdf)
    if not chosen:
        return
    before, after = workspace / "named.pdf", workspace / "embedded.pdf"
    write_widths(chosen)
    pdf.save(before)
    findings.append(embed(pdf, chosen))
    pdf.save(after)
    if reason := likeness.difference(before, after):
        message = f"with other fonts it looks different: {reason}"
        raise ValueError(message)


def _gathered(desk: Desk, opened: ExitStack, draft: Path, findings: list[Finding]) -> Pdf:
    """Put pages of several sources, or some pages of one, into a new document."""
    images = [sheet for sheet in desk.sheets if not sheet.is_pdf]
    layer = scans.draw(desk, images, draft)
    pdf = opened.enter_context(pikepdf.open(draft))
    scans.finish_text(pdf, layer)
    sources: dict[int, Pdf] = {}
    for position, sheet in enumerate(desk.sheets):
        if not sheet.is_pdf:
            continue
        number = sheet.page.source
        if number not in sources:
            source = pikepdf.open(sheet.path, suppress_warnings=True)
            sources[number] = opened.enter_context(source)
            neutralise(source, findings)
            if Name.AF in source.Root:
                text = "Anlagen der Datei stehen nur im Original, aus dem dieses Dokument stammt."
                findings.append({"code": "attachments_left", "text": text})
        page = sources[number].pages[sheet.page.index]
        for key in (Name.StructParents, Name.Tabs):
            if key in page.obj:
                del page.obj[key]
        pdf.pages.insert(position, page)
    return pdf


@functools.cache
def _refused() -> list[str]:
    """Why OCRmyPDF cannot convert on this machine; filled once, an installation does not change."""
    return []


def _converted(plain: Path, target: Path, candidate: Path) -> None:
    if not plain.exists():
        message = "nothing to convert"
        raise ValueError(message)
    if _refused():
        raise ValueError(_refused()[0])
    import ocrmypdf
    from ocrmypdf.exceptions import MissingDependencyError

    try:
        ocrmypdf.ocr(
            plain,
            candidate,
            mode="skip",
            ocr_engine="none",
            output_type="pdfa-3",
            optimize=0,
            jobs=1,
            use_threads=True,
            progress_bar=False,
        )
    except MissingDependencyError as error:
        _refused().append(f"OCRmyPDF: {error}"[:300])
        raise
    with pikepdf.open(plain) as before, pikepdf.open(candidate) as after:
        same = len(before.pages) == len(after.pages)
        if not same or set(before.attachments) != set(after.attachments):
            message = "pages or attachments were lost in the conversion"
            raise ValueError(message)
        archive.save(after, target)


def _rendered(desk: Desk, target: Path, draft: Path, title: str) -> None:
    layer = TextLayer()
    with PageFile(draft) as pages:
        for sheet in desk.sheets:
            if sheet.is_pdf:
                _render(desk, sheet, pages, layer)
            else:
                scans.add_page(desk, sheet, pages, layer)
    with pikepdf.open(draft) as pdf:
        scans.finish_text(pdf, layer)
        archive.declare(pdf, title)
        whole = _whole(desk)
        if whole is not None:
            _attach(pdf, whole.path)
        archive.save(pdf, target)


def _render(desk: Desk, sheet: Sheet, pages: PageFile, layer: TextLayer) -> None:
    frame = desk.decoder(sheet, dpi=_RENDERED_DPI)()
    width, height = sheet.points((frame.width, frame.height), frame.dpi)
    words = desk.words(sheet)
    if words is None and sheet.native_text:
        with open_pdf(sheet.path) as document:
            words = native_words(document[sheet.page.index])
    text = b"" if words is None else layer.content(words, width, height)
    image = packed(frame, lossy=True, **_RENDERED_QUALITY)
    pages.add(image, width=width, height=height, turn=sheet.orientation, text=text)


def _attach(pdf: Pdf, path: Path) -> None:
    """Attach the original as what the copy was made from."""
    stream = pdf.make_stream(path.read_bytes(), Subtype=Name("/application/pdf"))
    stream[Name.Type] = Name.EmbeddedFile
    spec = pdf.make_indirect(
        Dictionary(
            Type=Name.Filespec,
            F=_ATTACHED,
            UF=_ATTACHED,
            Desc="Original, aus dem diese Kopie entstand",
            AFRelationship=Name.Source,
            EF=Dictionary(F=stream, UF=stream),
        )
    )
    tree = pikepdf.NameTree.new(pdf)
    tree[_ATTACHED] = spec
    pdf.Root[Name.Names] = Dictionary(EmbeddedFiles=tree.obj)
    pdf.Root[Name.AF] = Array([spec])
