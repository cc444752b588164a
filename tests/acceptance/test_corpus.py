"""Real files through a running house; the table of expectations is `tests.plugins.corpus`."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import corpus
from tests.plugins.accounting import account, batches, documents, sha256, sidecars
from tests.plugins.corpus import DELIVERED, UNACCEPTED, Expectation, Sample
from tests.plugins.installation import Dropped, Installation
from workers.sealing.keys import CERTIFICATE_FILE
from workers.verification import verify_pdf

#: Small files of each kind, for every test run.
QUICK = (
    "paperless-ngx__patch-code-t-middle.pdf",
    "paperless-ngx__barcode-39-asn-123.pdf",
    "docspell__20K-gray.png",
    "exif-orientation-examples__Portrait_6.jpg",
    "paperless-ngx__simple-no-dpi.png",
    "paperless-ngx__simple.gif",
    "pillow__g4_orientation_6.tif",
    "pillow__multipage_single_frame_loop.tiff",
    "pillow__truncated_jpeg.jpg",
    "pillow__pil_sample_cmyk.jpg",
    "paperless-ngx__eml_with_umlaut.eml",
    "ocrmypdf__invalid.pdf",
    "format-corpus__T02-02_002_page-tree-kids-links-recursive.pdf",
    "pikepdf__newline-buffer-test.pdf",
    "format-corpus__encryption_openpassword.pdf",
    "format-corpus__encryption_nocopy.pdf",
    "docspell__letter-de.pdf",
    "format-corpus__fileAttachment.pdf",
    "tika__testPDFPackage.pdf",
    "ocrmypdf__jbig2.pdf",
    "éáéïú√határozat.pdf",
    "PDF_A-2b__6-6-2-3-1-t02-pass-h.pdf",
    "dss__Signature-P-DE_SCI-4.pdf",
    "testarea-pdfbox2__usf_01_Empty_Contents.pdf",
    "xjv-viewer-for-xjustiz__xjustiz_nachricht_v3_2.xml",
)
_PAGES_TAKEN = ("brief_p01.jpg", "dta_bebel_frau_1879_0146.tif", "fraktur_goethe1809_0018.tif")


@pytest.fixture
def everything() -> list[Sample]:
    """All files of the corpus; of the many scanned pages, three."""
    found = corpus.folder()
    if found is None:
        message = "no corpus folder; SCANSTRASSE_CORPUS may name one"
        if os.environ.get("SCANSTRASSE_CORPUS"):
            pytest.fail(message)
        pytest.skip(message)
    return [
        sample
        for sample in corpus.samples(found)
        if not sample.kind.startswith("page_") or sample.path.name in _PAGES_TAKEN
    ]


def test_real_files_of_every_kind_end_as_they_should(
    installation: Installation, everything: list[Sample]
) -> None:
    chosen = [sample for sample in everything if sample.path.name in QUICK]
    assert len(chosen) == len(QUICK)
    _drive(installation, chosen, 150)


@pytest.mark.corpus
@pytest.mark.timeout(5400)
def test_the_whole_corpus_ends_as_it_should(
    installation: Installation, everything: list[Sample]
) -> None:
    _drive(installation, everything, 5000)


def _drive(installation: Installation, chosen: Sequence[Sample], seconds: float) -> None:
    before = {sample.name: sha256(sample.path) for sample in chosen}
    assert before == {sample.name: sample.sha256 for sample in chosen}
    running = installation.start()
    dropped = [_drop(installation, sample) for sample in chosen]
    perhaps = [d for d, s in zip(dropped, chosen, strict=True) if UNACCEPTED in s.expectation.ends]
    rows = _settled(installation, perhaps, seconds)
    left = [file for file in perhaps if (installation.inbox / file.path).exists()]
    assert running.is_alive
    judged = list(_judged(chosen, rows))
    _write_table(judged)
    problems = [*(f"{v.name}: {v.problem} ({v.reason})" for v in judged if v.problem)]
    problems += _unsaid(chosen, rows, installation)
    assert not problems, "\n".join(problems)
    trust = installation.data / "keys" / CERTIFICATE_FILE
    damaged = [text for row in documents(rows) for text in _weak(row, trust)]
    assert not damaged, "\n".join(damaged)
    account(installation, remaining=left)
    verified = installation.call("verify")
    assert verified.returncode == 0, verified.stdout


def _weak(row: Mapping[str, Any], trust: Path) -> list[str]:
    """Return what does not hold of a delivered PDF: PDF/A-3b, note, seal, sidecar."""
    path = row["outputs"].get("pdf", {}).get("path")
    if path is None:
        return []
    checks = verify_pdf(Path(path), trust).checks
    bad = [check for check in checks if check.required and not check.passed]
    return [f"{row['source_name']}: {check.name}: {check.text}" for check in bad]


def _drop(installation: Installation, sample: Sample) -> Dropped:
    under = sample.expectation.profile
    folder = "" if under == "posteingang" else f"{under}/"
    return installation.drop(f"{folder}{sample.name}", sample.path.read_bytes())


def _settled(
    installation: Installation, perhaps: Sequence[Dropped], seconds: float
) -> list[dict[str, Any]]:
    """Wait for the end; what may rightly be refused may lie in the inbox at that moment."""

    def over(rows: list[dict[str, Any]]) -> bool:
        refused = {Path(r["source_name"]).name for r in rows if r["message_type"] == "unaccepted"}
        left = {path.relative_to(installation.inbox) for path in installation.inbox_files()}
        allowed = {file.path for file in perhaps if file.path.name in refused}
        return left == allowed and all(
            row["standing"] in {"done", "rejected", "held", "quarantined"}
            for row in rows
            if row["message_type"] != "unaccepted"
        )

    return installation.wait_for(over, "the corpus", seconds)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a file, beside what was wanted."""

    name: str
    kind: str
    wanted: str
    end: str
    documents: int
    reason: str
    problem: str | None


def _judged(chosen: Iterable[Sample], rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    arrivals = {row["source_name"]: row for row in batches(rows)}
    for sample in chosen:
        arrival = arrivals.get(unicodedata.normalize("NFC", sample.name))
        own = [] if arrival is None else [r for r in documents(rows) if r["batch"] == arrival["id"]]
        end = _end(arrival, own)
        yield Verdict(
            name=sample.name,
            kind=sample.kind,
            wanted=" or ".join(sorted(sample.expectation.ends)),
            end=end,
            documents=len(own),
            reason=next((r["reason"] for r in (arrival or {}, *own) if r.get("reason")), ""),
            problem=_problem(sample, arrival, own, end),
        )


def _write_table(judged: Sequence[Verdict]) -> None:
    """Write expected and actual ends as Markdown to the file that SCANSTRASSE_TABLE names."""
    target = os.environ.get("SCANSTRASSE_TABLE")
    if not target:
        return
    lines = [
        "| file | kind | expected | actual | documents | reason |",
        "|---|---|---|---|---|---|",
    ]
    for verdict in judged:
        reason = verdict.reason.replace("|", "/").replace("\n", " ")[:160]
        end = f"**{verdict.end}: {verdict.problem}**" if verdict.problem else verdict.end
        cells = (verdict.name, verdict.kind, verdict.wanted, end, str(verdict.documents), reason)
        lines.append(f"| {' | '.join(cells)} |")
    Path(target).write_text("\n".join(lines) + "\n", "utf-8")


def _unsaid(
    chosen: Iterable[Sample], rows: Sequence[Mapping[str, Any]], installation: Installation
) -> Iterable[str]:
    """Yield what ought to be told with a delivery and is not."""
    said: dict[str, str] = {}
    for path in sidecars(installation.outbox):
        content = json.loads(path.read_text("utf-8"))
        if "enclosure_of" not in content:
            said[content["source"]["sha256"]] = " ".join(content["findings"])
    delivered = {row["sha256"] for row in documents(rows) if row["stage"] == DELIVERED}
    for sample in chosen:
        if sample.sha256 in delivered and sample.expectation.says not in said[sample.sha256]:
            yield f"{sample.name}: no word of {sample.expectation.says}: {said[sample.sha256]}"


def _end(arrival: Mapping[str, Any] | None, own: Sequence[Mapping[str, Any]]) -> str:
    if arrival is None:
        return UNACCEPTED
    worst = [row["standing"] for row in (arrival, *own) if row["standing"] != "done"]
    return str(worst[0]) if worst else DELIVERED


def _problem(
    sample: Sample,
    arrival: Mapping[str, Any] | None,
    own: Sequence[Mapping[str, Any]],
    end: str,
) -> str | None:
    expected = sample.expectation
    if end not in expected.ends:
        return f"ended {end}"
    if arrival is not None and arrival["sha256"] != sample.sha256:
        return "was changed on its way in"
    if end != DELIVERED:
        return None
    if wrong := _miscut(expected, own):
        return wrong
    own = [row for row in own if row["enclosure_of"] is None]
    originals = {row["outputs"].get("original", {}).get("sha256") for row in own}
    if expected.original and originals != {sample.sha256}:
        return "its original does not lie untouched beside it"
    return None


def _miscut(expected: Expectation, own: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what is wrong with how the arrival became documents."""
    inside = [row for row in own if row["enclosure_of"] is not None]
    names = sorted(row["source_name"] for row in inside)
    if names != sorted(expected.inside):
        return f"has {names} inside, not {sorted(expected.inside)}"
    departments = {row["department"] for row in own}
    if inside and len(departments) > 1:
        return f"was torn apart: {departments}"
    pages = sorted(tuple(row["source_pages"]) for row in own if row not in inside)
    if expected.documents is not None and pages != sorted(expected.documents):
        return f"was cut into {pages}, not {sorted(expected.documents)}"
    return None
