"""From a file to its checked document: the page and document steps, driven one after the other."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont

import profiles
from ingest.content import tiff
from ingest.content.kinds import kind_of
from ingest.content.pdf_pages import pdf_pages
from ingest.content.raster import open_frame
from ingest.context import StepContext
from ingest.document import (
    Assignment,
    Batch,
    BatchStage,
    Document,
    Envelope,
    Facts,
    Outcome,
    Page,
    RenditionKind,
    Source,
    SourceKind,
    Stage,
    Step,
    UnitKind,
)
from ingest.errors import Unclear
from ingest.settings import Settings
from ingest.store.folder import FolderStore
from workers import checking
from workers.recognition import composition
from workers.recognition import page as recognition
from workers.separation.skew import measure_skew
from workers.separation.views import Views

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
LINES = (
    "Sehr geehrte Damen und Herren,",
    "der Bescheid über die Größe des Grundstücks",
    "Nummer 4711 ist am 12. März eingegangen.",
    "Wir bitten um Rückmeldung bis Ende Juni.",
    "Mit freundlichen Grüßen",
)


def corpus(name: str) -> Path:
    """Return a real file; skip where the corpus is not beside the project."""
    path = CORPUS / name
    if not path.exists():
        pytest.skip("the corpus is not beside the project")
    return path


def program(name: str) -> str:
    """Return a native program; missing it is a failure only where everything is installed."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def letter(lines: tuple[str, ...] = LINES, size: tuple[int, int] = (1240, 900)) -> Image.Image:
    """Return a grey page at 150 dpi with the given lines."""
    made = Image.new("L", size, 255)
    font = ImageFont.truetype("DejaVuSans.ttf", 34)
    for number, line in enumerate(lines):
        ImageDraw.Draw(made).text((90, 90 + 90 * number), line, fill=0, font=font)
    return made


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """Encode `image`, at 150 dpi where nothing else is said."""
    target = io.BytesIO()
    image.save(target, form, **({"dpi": (150, 150)} | options))
    return target.getvalue()


def poppler_text(path: Path) -> list[str]:
    """Return the text of each page as pdftotext sees it."""
    made = subprocess.run(
        [program("pdftotext"), "-enc", "UTF-8", path, "-"], check=True, capture_output=True
    )
    return made.stdout.decode("utf-8").split("\f")[:-1]


def pdfium_text(path: Path) -> list[str]:
    """Return the text of each page as pdfium sees it."""
    with pdfium.PdfDocument(path) as document:
        return [page.get_textpage().get_text_range() for page in document]


@dataclass
class Result:
    """What came of a file."""

    pages: tuple[Page, ...]
    composition: Facts
    checks: Facts
    pdf: Path | None
    text: str
    sources: tuple[Source, ...] = field(default=())

    def codes(self) -> set[str]:
        """Codes of the findings."""
        return {finding["code"] for finding in self.composition["findings"]}

    def check(self, name: str) -> Facts:
        """One check by name."""
        return next(check for check in self.checks["checks"] if check["name"] == name)


class Bench:
    """A folder store and the steps around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FolderStore(folder / "store")
        self.settings = Settings(data=folder)
        self.profile = profiles.load("posteingang").facts()
        self._made = 0

    def context(self) -> StepContext:
        self._made += 1
        workspace = self.folder / f"work{self._made}"
        workspace.mkdir()
        return StepContext(
            store=self.store, tenant="default", workspace=workspace, settings=self.settings
        )

    def source(self, content: bytes | Path, ordinal: int = 1, **facts: object) -> Source:
        """Keep a file and describe it as inspection does."""
        data = content if isinstance(content, bytes) else content.read_bytes()
        path = self.folder / f"arrival{ordinal}"
        path.write_bytes(data)
        kind = kind_of(path)
        blob = self.store.put("default", io.BytesIO(data))
        count = 1
        if kind is SourceKind.PDF:
            count = sum(1 for _ in pdf_pages(path))
        elif kind is SourceKind.TIFF:
            count = len(tiff.frames(path))
        return Source(
            ordinal=ordinal,
            name=f"eingang{ordinal}",
            name_base64="",
            sha256=blob.sha256,
            size=blob.size,
            kind=kind,
            pages=count,
            facts={"electronic": kind is SourceKind.PDF} | facts,
        )

    def batch(self, *sources: Source) -> Batch:
        return Batch(
            id="0190f000-0000-7000-8000-000000000001",
            tenant="default",
            stage=BatchStage.CLOSED,
            envelope=Envelope(profile="posteingang"),
            registered_at=dt.datetime(2026, 3, 2, 7, 15, tzinfo=dt.UTC),
            sources=sources,
        )

    def pages(self, *sources: Source) -> tuple[Page, ...]:
        """Describe all pages of all sources as inspection and examination do."""
        made: list[Page] = []
        for source in sources:
            path = self.folder / f"arrival{source.ordinal}"
            texts = [False] * (source.pages or 0)
            if source.kind is SourceKind.PDF:
                texts = [bool(page and page.text) for page in pdf_pages(path)]
            for index, text in enumerate(texts):
                facts: Facts = {"inspection": {"text": text}}
                if not text:
                    facts["examination"] = self._examined(path, source.kind, index)
                number = len(made) + 1
                made.append(
                    Page(
                        id=f"page{number}",
                        number=number,
                        source=source.ordinal,
                        index=index,
                        sha256=source.sha256,
                        facts=facts,
                    )
                )
        return tuple(made)

    def _examined(self, path: Path, kind: SourceKind, index: int) -> Facts:
        try:
            frame = open_frame(path, kind, index, max_pixels=self.settings.workers.max_pixels)
        except Unclear as error:
            return {"undecodable": error.operator_text}
        return {
            "width": frame.width,
            "height": frame.height,
            "dpi": list(frame.dpi),
            "dpi_source": frame.dpi_source,
            "blank": False,
            "undecodable": None,
            "skew": measure_skew(Views(frame).depth),
        }

    def assignment(
        self, step: Step, batch: Batch, pages: tuple[Page, ...], document: Document | None = None
    ) -> Assignment:
        return Assignment(
            step=step,
            unit_kind=UnitKind.PAGE if document is None else UnitKind.DOCUMENT,
            unit_id="unit",
            tenant="default",
            idempotency_key="key",
            attempt=1,
            profile=self.profile,
            profile_sha256="0" * 64,
            batch=batch,
            pages=pages,
            document=document,
        )

    def document(self) -> Document:
        return Document(
            id="document",
            batch_id="batch",
            consignment_id="consignment",
            revision=1,
            ordinal=1,
            stage=Stage.CAPTURED,
        )

    def recognised(self, batch: Batch, page: Page) -> Page:
        outcome = recognition.perform(
            self.assignment(Step.RECOGNITION, batch, (page,)), self.context()
        )
        words = [item for item in outcome.renditions if item.kind is RenditionKind.WORDS]
        return dataclasses.replace(
            page,
            facts=page.facts | {"recognition": outcome.facts},
            words_sha256=words[0].sha256 if words else None,
        )

    def compose(self, batch: Batch, pages: tuple[Page, ...]) -> Outcome:
        assignment = self.assignment(Step.COMPOSITION, batch, pages, self.document())
        return composition.perform(assignment, self.context())

    def check(self, batch: Batch, pages: tuple[Page, ...], composed: Outcome) -> Outcome:
        document = dataclasses.replace(
            self.document(),
            facts={"composition": composed.facts},
            renditions={item.kind: item for item in composed.renditions},
        )
        assignment = self.assignment(Step.CHECKING, batch, pages, document)
        return checking.perform(assignment, self.context())

    def run(self, *sources: Source, read: bool = True, keep: slice = slice(None)) -> Result:
        """Take the pages `keep` of `sources` through recognition, composition and checking."""
        batch = self.batch(*sources)
        pages = self.pages(*sources)[keep]
        if read:
            pages = tuple(self.recognised(batch, page) for page in pages)
        composed = self.compose(batch, pages)
        checked = self.check(batch, pages, composed)
        pdf: Path | None = None
        text = ""
        for item in composed.renditions:
            with self.store.open("default", item.sha256) as stream:
                content = stream.read()
            if item.kind is RenditionKind.COMPOSED:
                pdf = self.folder / "composed.pdf"
                pdf.write_bytes(content)
            else:
                text = content.decode("utf-8")
        return Result(pages, composed.facts, checked.facts, pdf, text, sources)
