"""The doors for foreign bytes let out nothing but errors of the project; see tests/fuzz."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pikepdf
import pytest

from ingest.content.pdf import inspect_pdf
from ingest.content.pdf_pages import page_count
from ingest.errors import PasswordNeeded
from tests.plugins import fuzzing, papers

IMAGES, PDFS = 120, 40


@pytest.mark.filterwarnings("ignore")  # libraries warn about what they mend; the driver ignores it
def test_a_short_run_at_the_image_door_finds_nothing() -> None:
    chance = random.Random(20)
    seeds = list(fuzzing.image_seeds())
    for _ in range(IMAGES):
        fuzzing.image_door(fuzzing.mutated(chance.choice(seeds), chance))


@pytest.mark.filterwarnings("ignore")  # libraries warn about what they mend; the driver ignores it
def test_a_short_run_at_the_pdf_door_finds_nothing() -> None:
    chance = random.Random(21)
    seeds = list(fuzzing.pdf_seeds())
    for _ in range(PDFS):
        fuzzing.pdf_door(fuzzing.mutated(chance.choice(seeds), chance))


def test_a_locked_pdf_that_is_damaged_as_well_needs_its_password(tmp_path: Path) -> None:
    path = tmp_path / "brief.pdf"
    path.write_bytes(papers.locked_pdf("Bescheid", "geheim").removeprefix(b"%PDF-"))
    with pytest.raises(PasswordNeeded):
        page_count(path)


def test_metadata_that_do_not_unpack_claim_nothing(tmp_path: Path) -> None:
    path = tmp_path / "brief.pdf"
    with pikepdf.open(io.BytesIO(papers.pdf("Bescheid"))) as document:
        document.Root.Metadata = pikepdf.Stream(
            document, b"no zlib stream", Filtex=pikepdf.Name.FlateDecode
        )
        document.save(path, compress_streams=False)
    path.write_bytes(path.read_bytes().replace(b"/Filtex", b"/Filter"))
    findings = inspect_pdf(path)
    assert (findings.pdfa_claim, len(findings.pages)) == (None, 1)
