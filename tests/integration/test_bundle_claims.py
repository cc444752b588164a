"""Whatever a bundle says of itself is held against its files: rewriting it is noticed or told."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import papers
from tests.plugins.authority import serving
from tests.plugins.bundles import Said, examined, listed, rewritten
from tests.plugins.bureau import Bureau
from workers.evidence.bundle import write
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.sealed import SealedPdf

CLAIMS = "beweis.json"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A letter with its original, and a document of a stack whose original is not in it."""
    folder = tmp_path_factory.mktemp("bureau")
    with serving() as authority:
        bureau = Bureau(folder, authority)
        letter = bureau.take({"Brief.png": papers.png("Ein Brief")})
        stack = papers.tiff(papers.page("Otto"), papers.separator(), papers.page("Fritz"))
        batch = bureau.take({"Stapel.tif": stack})
        bureau.anchor(dt.date(2026, 11, 25))
        bureau.secure()
        parts = {"settings": bureau.settings, "ledger": bureau.ledger, "store": bureau.store}
        for name, unit in (("letter", letter), ("stack", batch)):
            write(unit, folder / name, **parts)  # type: ignore[arg-type] # each by its name
        bureau.ledger.close()
    return {name: min((folder / name).iterdir()) for name in ("letter", "stack")}


@pytest.fixture
def copy(bundles: dict[str, Path], tmp_path: Path) -> Path:
    """The letter's bundle, as somebody else received it."""
    return shutil.copytree(bundles["letter"], tmp_path / "anderswo")


def rewritings(said: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value with what could stand there instead."""
    if isinstance(said, dict):
        for key, value in said.items():
            yield from rewritings(value, *way, key)
        return
    if isinstance(said, list):
        yield from ((*way, said[:at] + said[at + 1 :]) for at in range(len(said)))
        for at, value in enumerate(said):
            yield from rewritings(value, *way, at)
        return
    if isinstance(said, bool):
        yield (*way, not said)
        return
    yield (*way, None)
    yield (*way, said + 1 if isinstance(said, int) else f"{said}x")


@pytest.mark.parametrize("which", ["letter", "stack"])
def test_every_rewritten_statement_is_refused(
    bundles: dict[str, Path], tmp_path: Path, which: str
) -> None:
    copy = shutil.copytree(bundles[which], tmp_path / "anderswo")
    signed = examined(copy, openssl=False)
    assert signed.code == 0, signed.broken
    assert "Unterschrift des Pakets" in signed.verdict
    listed(copy)
    before = (copy / CLAIMS).read_bytes()
    unsigned = examined(copy, openssl=False)
    assert unsigned.code == 0
    changes = [one for one in rewritings(json.loads(before)) if one[0] != "sealed_by"]
    assert len(changes) > 15
    for change in changes:
        (copy / CLAIMS).write_bytes(rewritten(before, *change))
        listed(copy)
        said = examined(copy, openssl=False)
        if change[-2] == "reason" and change[-1] is not None:
            # nobody can know why; it is repeated as what the file says
            assert any(f"laut {CLAIMS}: {change[-1]}" in line for line in said.skipped)
        else:
            assert said.code == 1, (change, said)


def test_who_says_unsigned_gets_a_weaker_verdict(copy: Path) -> None:
    listed(copy)
    said = examined(copy, openssl=False)
    assert said.code == 0
    assert "Unterschrift des Pakets" not in said.verdict
    assert "manifest.p7s: das Paket ist nicht unterschrieben" in said.skipped
    shutil.copy(copy / "protokoll.jsonl", copy / "manifest.p7s")
    assert examined(copy, openssl=False).code == 1


@pytest.mark.parametrize("who", ["installation", "organisation", "niemand"])
def test_a_signature_that_is_named_has_to_be_there(copy: Path, who: str) -> None:
    listed(copy)
    claims = copy / CLAIMS
    claims.write_bytes(rewritten(claims.read_bytes(), "sealed_by", who))
    assert f"obwohl {CLAIMS} eine Unterschrift nennt ({who})" in examined(copy).broken[-1]


def test_a_note_in_the_pdf_cannot_be_kept_quiet(copy: Path) -> None:
    """Not even by who takes the note away and keeps the event's content back."""
    withheld(copy, "noted")
    for name in ("scanvermerk.xml", "scanvermerk.html"):
        (copy / name).unlink()
    claim(copy, "note", None, lacking="Vermerk")
    said = examined(copy, openssl=False)
    assert said.code == 1
    assert "scanprodukt.pdf: enthält einen Vermerk, den beweis.json verschweigt" in said.broken


def test_a_pdf_that_somebody_else_signed_is_not_sealed(copy: Path) -> None:
    lines: list[str] = []
    findings = Findings(lines.append)
    openssl = OpenSsl(findings, None, None)
    subject = {"pdf": "scanprodukt.pdf", "note": None, "document": "0" * 8}
    content = (copy / "scanprodukt.pdf").read_bytes()
    SealedPdf(copy, subject, findings, openssl).run(content, None, None)
    assert any("mit der dieses Dokument gesichert worden wäre" in line for line in lines)
    assert "Signatur der PDF" not in findings.carried


def test_evidence_that_was_taken_out_is_missed_and_said_to_be_missing(copy: Path) -> None:
    claims = copy / CLAIMS
    records = json.loads(claims.read_bytes())["records"]
    (copy / "evidence-record.er").unlink()
    kept = [one for one in records if one["name"] != "evidence-record.er"]
    claims.write_bytes(rewritten(claims.read_bytes(), "records", kept))
    listed(copy)
    said = examined(copy, openssl=False)
    assert said.broken == [f"evidence-record.er: fehlt, und {CLAIMS} sagt nicht, warum"]
    claim(copy, "records", kept, lacking="evidence-record.er")
    said = examined(copy, openssl=False)
    assert said.code == 0
    assert "scanprodukt.pdf: seit wann es besteht: darüber liegt kein Nachweis bei" in said.skipped


def test_what_carries_neither_seal_nor_timestamp_proves_nothing(copy: Path) -> None:
    withheld(copy, "sealed")
    for path in (copy / "scanprodukt.pdf", *copy.rglob("*.er")):
        path.unlink()
    claims = copy / CLAIMS
    claims.write_bytes(rewritten(claims.read_bytes(), "records", []))
    claims.write_bytes(rewritten(claims.read_bytes(), "pdf", None))
    claim(copy, "note", "scanvermerk.xml", lacking="scanprodukt.pdf")
    claim(copy, "note", "scanvermerk.xml", lacking="evidence-record.er")
    said: Said = examined(copy)
    assert (said.code, said.broken) == (3, [])
    assert "beweist nichts über Unverändertheit" in said.verdict


def test_of_several_a_broken_one_counts_more_than_one_that_proves_nothing(
    copy: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(copy, tmp_path / "zweites")
    test_what_carries_neither_seal_nor_timestamp_proves_nothing(copy)
    assert examined(copy, str(other), openssl=False).code == 3
    (other / "scanvermerk.html").unlink()
    assert examined(copy, str(other), openssl=False).code == 1


def claim(bundle: Path, field: str, value: Any, *, lacking: str) -> None:
    """Forge with care: say it, give a reason for what is lacking, and make the list anew."""
    claims = bundle / CLAIMS
    said = json.loads(rewritten(claims.read_bytes(), field, value))
    said["absent"].append({"part": lacking, "reason": "gibt es nicht"})
    claims.write_text(json.dumps(said), "utf-8")
    listed(bundle)


def withheld(bundle: Path, kind: str) -> None:
    """Keep the content of events back, as is done with what concerns others; and day records."""
    log = bundle / "protokoll.jsonl"
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for line in lines:
        if line.get("kind") == kind:
            line.update(salt=None, payload=None, withheld="geht niemanden etwas an")
        if line["message_type"] == "anchor":
            line["record"] = None
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    for path in (bundle / "nachweise").glob("tageswurzel-*"):
        path.unlink()
