"""Documents as a step sees them: blobs in a folder store, facts as earlier steps leave them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
import random
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import pdfa
from PIL import Image, ImageDraw

import profiles
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
    Rendition,
    RenditionKind,
    Source,
    SourceKind,
    Stage,
    Step,
    UnitKind,
    new_id,
)
from ingest.settings import Settings
from ingest.store.folder import FolderStore
from workers.sealing.proof import SealBroken, examine

REGISTERED = dt.datetime(2026, 3, 2, 7, 15, tzinfo=dt.UTC)


def image_pdf(
    pages: int = 1, *, author: str | None = None, grain: random.Random | None = None
) -> bytes:
    """Return a PDF/A-3b of page images, as composition makes it; `grain` makes it hard to pack."""
    pdf = pikepdf.new()
    for number in range(pages):
        image = Image.new("L", (620, 877), 255)
        if grain is not None:
            image = Image.frombytes("L", image.size, grain.randbytes(620 * 877))
        ImageDraw.Draw(image).text((60, 60), f"Seite {number + 1}", fill=0)
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=75 if grain is None else 98)
        picture = pdf.make_stream(
            jpeg.getvalue(),
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=620,
            Height=877,
            ColorSpace=pikepdf.Name.DeviceGray,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        page = pdf.add_blank_page(page_size=(595, 842))
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=picture))
        page.Contents = pdf.make_stream(b"q 595 0 0 842 0 0 cm /I Do Q")
    if author is not None:
        pdf.docinfo["/Author"] = author
    stream = io.BytesIO()
    pdfa.save(pdf, stream, "3b")
    return stream.getvalue()


def words_blob(text: str) -> bytes:
    """Return the words of one page with a line of `text` for each of its lines."""
    lines = [
        {
            "box": [0, 0, 10, 10],
            "baseline": None,
            "words": [{"text": w, "box": [0, 0, 1, 1], "confidence": 90} for w in line.split()],
        }
        for line in text.splitlines()
    ]
    return json.dumps(
        {"width": 620, "height": 877, "dpi": [75, 75], "orientation": 0, "lines": lines}
    ).encode()


class Desk:
    """One tenant's store, settings and folders, and a document on its way."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        house = {
            "organisation": "Stadt Musterhausen",
            "place": "Musterhausen",
            "unit": "Scanstelle",
        }
        self.settings = Settings(data=folder / "data", house=house, **settings)
        self.store = FolderStore(folder / "blobs")

    def context(self) -> StepContext:
        """Return a fresh context with an empty workspace."""
        workspace = self.folder / "work" / uuid.uuid4().hex
        workspace.mkdir(parents=True)
        return StepContext(
            store=self.store, tenant="default", workspace=workspace, settings=self.settings
        )

    def put(self, content: bytes) -> str:
        """Store `content` and return its digest."""
        return self.store.put("default", io.BytesIO(content)).sha256

    def rendition(self, kind: RenditionKind, content: bytes, media_type: str) -> Rendition:
        """Store `content` as a rendition of unknown parentage."""
        return Rendition(
            kind=kind,
            sha256=self.put(content),
            size=len(content),
            media_type=media_type,
            parent_sha256="0" * 64,
            tool="test/1",
        )

    def letter(
        self,
        *,
        composed: bytes | None = None,
        rung: str = "image",
        texts: tuple[str, ...] = ("Sehr geehrte Damen und Herren",),
        source_name: str = "brief.tif",
        source: bytes = b"II*\0 the scan",
        source_facts: Facts | None = None,
        envelope: Envelope | None = None,
        profile: str = "posteingang",
    ) -> Assignment:
        """Return a document of `texts` pages, ready for its note."""
        loaded = profiles.load(profile)
        arrived = Source(
            ordinal=1,
            name=source_name,
            name_base64="",
            sha256=self.put(source),
            size=len(source),
            kind=SourceKind.TIFF,
            pages=len(texts),
            facts=source_facts or {},
        )
        batch = Batch(
            id=new_id(),
            tenant="default",
            stage=BatchStage.CLOSED,
            envelope=envelope or Envelope(profile=profile),
            registered_at=REGISTERED,
            sources=(arrived,),
            facts={"inspection": {"detector": "scanstrasse 0.1.0 inspection/1"}},
        )
        pages = tuple(self.page(number, text) for number, text in enumerate(texts, 1))
        renditions = {}
        if composed is not None:
            composition = self.rendition(RenditionKind.COMPOSED, composed, "application/pdf")
            renditions[RenditionKind.COMPOSED] = composition
            text = "\f".join(texts).encode()
            renditions[RenditionKind.TEXT] = self.rendition(RenditionKind.TEXT, text, "text/plain")
        document = Document(
            id=new_id(),
            batch_id=batch.id,
            consignment_id=new_id(),
            revision=1,
            ordinal=1,
            stage=Stage.CHECKED,
            facts={"composition": {"rung": rung, "pdfa": "3b" if composed else None}},
            renditions=renditions,
        )
        return Assignment(
            step=Step.NOTE,
            unit_kind=UnitKind.DOCUMENT,
            unit_id=document.id,
            tenant="default",
            idempotency_key=f"{document.id}:{Step.NOTE}",
            attempt=1,
            profile=loaded.facts(),
            profile_sha256=loaded.sha256,
            batch=batch,
            pages=pages,
            document=document,
        )

    def page(self, number: int, text: str) -> Page:
        """Return page `number` with recognised `text`."""
        digest = hashlib.sha256(f"page {number} {text}".encode()).hexdigest()
        recognition = {"engine": "tesseract 5.5", "model": "best", "languages": ["deu"]}
        return Page(
            id=new_id(),
            number=number,
            source=1,
            index=number - 1,
            sha256=digest,
            facts={"recognition": recognition},
            words_sha256=self.put(words_blob(text)),
        )


def after(assignment: Assignment, step: Step, outcome: Outcome, following: Step) -> Assignment:
    """Return the assignment of the `following` step, with the `outcome` of `step` recorded."""
    document = of(assignment)
    recorded = dataclasses.replace(
        document,
        facts={**document.facts, step.value: outcome.facts},
        renditions={**document.renditions, **{made.kind: made for made in outcome.renditions}},
    )
    key = f"{document.id}:{following}"
    return dataclasses.replace(assignment, step=following, document=recorded, idempotency_key=key)


def of(assignment: Assignment) -> Document:
    """Return the document of an assignment that has one."""
    assert assignment.document is not None
    return assignment.document


def with_facts(assignment: Assignment, **facts: Facts) -> Assignment:
    """Return the assignment with more facts at its document."""
    document = of(assignment)
    merged = dataclasses.replace(document, facts={**document.facts, **facts})
    return dataclasses.replace(assignment, document=merged)


def undetected_flips(whole: bytes, places: Iterable[int], path: Path) -> list[int]:
    """Return the places at which a flipped bit leaves the seal as it was."""
    undetected = []
    for place in places:
        content = bytearray(whole)
        content[place] ^= 0x01
        path.write_bytes(content)
        try:
            if examine(path) is not None:
                undetected.append(place)
        except SealBroken:
            continue
    return undetected
