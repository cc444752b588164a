"""Bundles written and verified: documents a second on one core.

A letter of one page (grey JPEG, 300 dpi) takes its real way with a test authority, gets
evidence and a daily root, and its bundle is written again and again. It is verified as a
stranger would, by `python3 -I pruefen.py`: each time in a process of its own, and as often in
one process, with openssl and without it. Counted is the CPU of Python and of every openssl it
starts, beside wall time. Target: at least 5 sealed documents a second.

A PDF sealed at B-LTA carries the answers of its issuers; what judging them takes is measured by
the verifier's part for the PDF alone, beside that for B-T.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess  # noqa: TID251 - what a stranger starts is measured
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import large_seal
from bench.seals import issued, key_of, services
from console.samples import letter_pages
from console.samples.files import write_jpeg
from ingest.context import StepContext
from ingest.store import open_store
from tests.plugins.authority import serving
from tests.plugins.bureau import Bureau
from tests.plugins.letters import Desk, of
from tests.plugins.tokens import make_card
from workers import sealing
from workers.evidence.bundle import write
from workers.evidence.offline.findings import Findings
from workers.evidence.offline.openssl import OpenSsl
from workers.evidence.offline.sealed import SealedPdf

_TARGET = 5.0


def _cpu() -> float:
    """Return the CPU seconds of this process and of all that it started and that have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


@contextmanager
def _timed(what: str, count: int) -> Iterator[None]:
    wall, cpu = time.perf_counter(), _cpu()
    yield
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    print(
        f"{what:<34}{count / cpu:8.1f} documents a second of CPU, "
        f"{1000 * cpu / count:7.1f} ms CPU, {1000 * wall / count:7.1f} ms wall each"
    )


def _verify(bundle: Path, times: int, path: str) -> None:
    command = [sys.executable, "-I", str(bundle / "pruefen.py"), *([str(bundle)] * times)]
    done = subprocess.run(command, env={"PATH": path}, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()


def measure(folder: Path, bundles: int) -> None:
    """Write so many bundles of one letter, verify all of them in each way, and print."""
    with serving() as authority:
        bureau = Bureau(folder, authority)
        (page,) = letter_pages(1, skew=0.4, noise=3.0)
        write_jpeg(folder / "brief.jpg", page)
        batch = bureau.take({"brief.jpg": (folder / "brief.jpg").read_bytes()})
        bureau.anchor(dt.date(2026, 11, 25))
        bureau.secure()
        parts = {"settings": bureau.settings, "ledger": bureau.ledger, "store": bureau.store}
        write(batch, folder / "first", **parts)  # type: ignore[arg-type] # each by its name
        with _timed("written, unsigned", bundles):
            for number in range(bundles):
                write(batch, folder / f"{number}", seal="none", **parts)  # type: ignore[arg-type] # as above
        bureau.ledger.close()
    (bundle,) = (folder / "first").iterdir()
    size = (bundle / "scanprodukt.pdf").stat().st_size
    print(f"sealed PDF of {size / 1000:.0f} kB, B-T, evidence record, root of a day, signed list")
    for how, path in (("with openssl", os.defpath), ("without openssl", "/nonexistent")):
        with _timed(f"own process, {how}", bundles):
            for _ in range(bundles):
                _verify(bundle, 1, path)
        with _timed(f"all in one process, {how}", bundles):
            _verify(bundle, bundles, path)
    print(f"target: {_TARGET:.0f} documents a second on a core")


def measure_levels(folder: Path, times: int) -> None:
    """Look so many times at a PDF of each level, its issuers' answers included, and print."""
    with services(folder) as tsa:
        card = make_card(folder / "card", key_of(folder, "seal"), issued=issued(folder))
        roots = {"tsa_urls": [tsa], "tsa_roots": str(folder / "tsa-root.crt")}
        large_seal.write(folder / "letter.pdf", 1)
        for level in ("B-T", "B-LTA"):
            desk = Desk(folder / level, sealing={"token": card.settings, **roots})
            store = open_store(desk.settings)
            order = large_seal.ordered(desk.settings, store, folder / "letter.pdf", level, "scan")
            context = StepContext(
                store=store, tenant="default", workspace=folder, settings=desk.settings
            )
            (made,) = sealing.perform(order, context).renditions
            content = context.read(made.sha256)
            context.close()
            with _timed(f"the PDF alone, {level}", times):
                for _ in range(times):
                    _look(content, of(order).id, folder)


def _look(content: bytes, document: str, folder: Path) -> None:
    findings = Findings(lambda _: None)
    subject = {"pdf": "scanprodukt.pdf", "note": None, "document": document}
    openssl = OpenSsl(findings, folder / "tsa-root.crt", None)
    SealedPdf(folder, subject, findings, openssl).run(content, None, None)
    assert findings.carried


def main() -> None:
    """Measure in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundles", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.bundles)
    with tempfile.TemporaryDirectory() as folder:
        measure_levels(Path(folder), arguments.bundles)


if __name__ == "__main__":
    main()
