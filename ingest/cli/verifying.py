"""The work of `verify`: every digest, chain, note and seal that can be computed anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from console.texts import local_time
from ingest.cli import attesting, counting, evidencing
from ingest.cli.app import App
from ingest.content import kind_of
from ingest.document import NOT_RECORDED, BatchStage, Facts, SourceKind
from ingest.errors import DigestMismatch, StoreUnavailable
from ingest.ledger.agreement import Examination
from ingest.ledger.entrusted import taken_over
from ingest.ledger.integrity import ERASED, Break
from ingest.ledger.reading import referenced, tenants
from ingest.ledger.sealers import SUPPLEMENT_SEALED, sealers_of
from ingest.ledger.showing import show
from workers.noteverifying import contradictions
from workers.sealing.keys import CERTIFICATE_FILE
from workers.supplementproof import disagreements, judge_supplement
from workers.verification import Verification, verify_pdf

if TYPE_CHECKING:
    import sqlalchemy as sa

_PIECE = 1 << 20
_NAMED = 3


def _result(name: str, *, passed: bool, text: str, required: bool = True) -> Facts:
    return {"name": name, "passed": passed, "required": required, "text": text}


def verify_all(app: App, newest: int | None = attesting.SIGNATURES) -> Iterator[Facts]:
    """Check all chains of all tenants, configured or known to the ledger, and every named blob.

    Args:
        app: The installation.
        newest: Of each tenant the signatures of so many of the newest timestamps are verified;
            None for all.
    """
    with app.ledger.reading() as connection:
        kept = tenants(connection)
    for tenant in dict.fromkeys((*app.settings.tenants, *kept)):
        with app.ledger.reading() as connection:
            yield from _of_ledger(connection, tenant)
            for name, passed, text in evidencing.of_ledger(connection, tenant):
                yield _result(name, passed=passed, text=text)
            for name, passed, text in attesting.of_ledger(app, connection, tenant, newest):
                yield _result(name, passed=passed, text=text)
            counted = 0
            for sha256 in referenced(connection, tenant):
                counted += 1
                problem = _blob_problem(app, tenant, sha256)
                if problem:
                    yield _result(f"Objekt {sha256}", passed=False, text=problem)
            yield _result(f"Ablage {tenant}", passed=True, text=f"{counted} Objekte nachgerechnet")


def _of_ledger(connection: sa.Connection, tenant: str) -> Iterator[Facts]:
    """Check chains, rows and daily roots, and say how much that was."""
    examination, broken = Examination(connection, tenant), 0
    for place in examination:
        broken += 1
        yield _result(f"Eintrag {place.chain}", passed=False, text=_said(place))
    counted = f"{examination.chains} Ketten mit ihren Einträgen verglichen"
    text = f"{counting.violated(broken) if broken else 'unversehrt'}, {counted}"
    yield _result(f"Ereignisketten {tenant}", passed=not broken, text=text)
    if found := taken_over(connection, tenant):
        text = f"{', '.join(found)}: bei einer Aktualisierung vermerkt, ohne Ereignis von davor"
        yield _result(f"Übernommen {tenant}", passed=True, required=False, text=text)
    if (roots := examination.roots) is not None and roots.compared:
        text = f"{roots.compared} nachgerechnet"
        text += f", {roots.older} ältere nicht" if roots.older else ""
        yield _result(f"Tageswurzeln {tenant}", passed=not roots.broken, text=text)


def _said(place: Break) -> str:
    return f"Ereignis {place.seq}: {place.reason}" if place.seq else place.reason


def _blob_problem(app: App, tenant: str, sha256: str) -> str | None:
    try:
        with app.store.open(tenant, sha256) as stream:
            while stream.read(_PIECE):
                pass
    except (DigestMismatch, StoreUnavailable) as error:
        return error.operator_text
    return None


def verify_file(
    app: App, path: Path, trust: Path | None, evidence: Path | None = None
) -> Iterator[Facts]:
    """Check a file without any database: only it, certificates and an evidence record count.

    A file that is no PDF, such as an original, is judged by its evidence record alone.
    """
    record = evidencing.record_of(path, evidence)
    if record is None or kind_of(path) is SourceKind.PDF:
        yield from _of_pdf(_verified(app, path, trust))
    if record is not None:
        for passed, required, text in evidencing.of_file(app, path, record):
            yield _result("evidence", passed=passed, required=required, text=text)


def verify_unit(app: App, identifier: str, trust: Path | None) -> Iterator[Facts]:
    """Check a batch or document: its chain, its blobs and its sealed PDF.

    Of a stack that is still scanned there are only pages; its chain begins when it is closed.
    """
    with app.ledger.reading() as connection:
        record = show(connection, identifier, scanning=True)
        if record.get("stage") == BatchStage.OPEN:
            yield from _of_stack(app, record)
            return
        chains = {record["id"], record.get("batch") or record["id"]}
        for chain in sorted(chains):
            broken = list(Examination(connection, chain=chain))
            text = "; ".join(map(_said, broken[:_NAMED])) or "unversehrt, Einträge stimmen überein"
            yield _result(f"Kette {chain}", passed=not broken, text=text)
    for name, passed, required, text in attesting.statements(app, record):
        yield _result(name, passed=passed, required=required, text=text)
    tenant = str(record["tenant"])
    for name, sha256 in sorted(_blobs(record)):
        problem = _blob_problem(app, tenant, sha256)
        yield _result(
            f"{name} {sha256[:12]}…", passed=problem is None, text=problem or "Prüfsumme stimmt"
        )
    if record["erased_at"]:
        yield _result("Löschung", passed=True, required=False, text=_erasure(app, record))
    elif record["message_type"] == "document":
        yield from _pdf_of(app, record, tenant, trust)
        for passed, required, text in evidencing.statements(app, record):
            yield _result("evidence", passed=passed, required=required, text=text)


def _of_stack(app: App, record: Facts) -> Iterator[Facts]:
    for page in record["stack_pages"]:
        problem = _blob_problem(app, str(record["tenant"]), str(page["sha256"]))
        name = f"Seite {page['number']} {str(page['sha256'])[:12]}…"
        yield _result(name, passed=problem is None, text=problem or "Prüfsumme stimmt")
    text = f"wird noch gescannt, {record['pages']} Seiten; seine Kette beginnt mit dem Abschluss"
    yield _result(f"Stapel {record['id']}", passed=True, required=False, text=text)


def _erasure(app: App, record: Facts) -> str:
    by = [event["actor"] for event in record["events"] if event["kind"] == ERASED]
    when = local_time(record["erased_at"], app.settings.house.zone)
    return f"gelöscht am {when} von {by[-1] if by else NOT_RECORDED}"


def _blobs(record: Facts) -> set[tuple[str, str]]:
    found = {(str(made["kind"]), str(made["sha256"])) for made in record["renditions"]}
    sources = record.get("sources") or [{"sha256": record.get("source_sha256")}]
    return found | {("original", str(s["sha256"])) for s in sources if s["sha256"]}


def _pdf_of(app: App, record: Facts, tenant: str, trust: Path | None) -> Iterator[Facts]:
    pdf = (record.get("outputs") or {}).get("pdf")
    if pdf is None:
        text = "noch keine gesicherte PDF vorhanden; das Original ist davon nicht berührt"
        yield _result("PDF", passed=False, required=False, text=text)
        return
    note = (record.get("outputs") or {}).get("note")
    beside = None if note is None else _whole(app, tenant, str(note["sha256"]))
    with app.ledger.reading() as connection:
        sealers = sealers_of(connection, str(record["id"]))
    with app.store.materialise(tenant, str(pdf["sha256"])) as path:
        verification = _verified(app, path, trust, beside, sealers)
    yield from _of_pdf(verification)
    if verification.note:
        wrong = " ".join(contradictions(verification.note, record))
        text = wrong or "Vermerk und Ledger sagen dasselbe."
        yield _result("note_in_ledger", passed=not wrong, text=text)
    yield from _supplement_of(app, record, tenant, trust)


def _supplement_of(app: App, record: Facts, tenant: str, trust: Path | None) -> Iterator[Facts]:
    outputs = record.get("outputs") or {}
    if "supplement_seal" not in outputs:
        return
    content, seal = (
        _whole(app, tenant, str(outputs[kind]["sha256"]))
        for kind in ("supplement", "supplement_seal")
    )
    from workers.sealing.timestamps import load_roots

    sealing = app.settings.sealing
    roots = {
        "installation": load_roots(trust or _own_certificate(app)),
        "organisation": load_roots(trust or sealing.issuers),
    }
    with app.ledger.reading() as connection:
        sealers = sealers_of(connection, str(record["id"]), SUPPLEMENT_SEALED)
    judged = judge_supplement(content, seal, roots, load_roots(sealing.tsa_roots), sealers)
    wrong = " ".join(disagreements(judged.facts, record)) if judged.passed else ""
    yield _result("supplement", passed=judged.passed and not wrong, text=wrong or judged.text)


def _whole(app: App, tenant: str, sha256: str) -> bytes:
    with app.store.open(tenant, sha256) as stream:
        return stream.read()


def _own_certificate(app: App) -> Path | None:
    """Return the installation's own certificate, where this is the machine that has it."""
    path = app.settings.keys / CERTIFICATE_FILE
    return path if path.is_file() else None


def _verified(
    app: App,
    path: Path,
    trust: Path | None,
    note: bytes | None = None,
    sealers: frozenset[str] | None = None,
) -> Verification:
    sealing = app.settings.sealing
    return verify_pdf(
        path,
        trust or _own_certificate(app),
        sealing.tsa_roots,
        seal_roots=trust or sealing.issuers,
        note=note,
        sealers=sealers,
    )


def _of_pdf(verification: Verification) -> Iterator[Facts]:
    for finding in verification.checks:
        yield _result(
            finding.name, passed=finding.passed, required=finding.required, text=finding.text
        )
