"""What the seal of a very large file takes: memory of the child that makes it.

A PDF of 500 MB, pages of raw images, is sealed at each level in a child process as the executor
runs it, with the key in a SoftHSM token, authority and OCSP in a process of their own: as a noted
scan, as a letter that leaves, and as one with the seal shown. Counted is the largest resident
memory of the child since it began; a small file shows what of it the size costs.

Target: at most 100 MB.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

import pikepdf

from bench.seals import issued, key_of, services
from ingest.document import OUTGOING, Assignment, Envelope, Rendition, RenditionKind, Step
from ingest.sandbox import Child, Limits
from ingest.settings import Settings
from ingest.store import open_store
from ingest.store.port import Store
from profiles.outgoing import OutgoingRules
from tests.plugins.letters import Desk, of
from tests.plugins.tokens import make_card
from workers.execution import ASSIGNMENT

_PIECE = 10_000_000


def main() -> None:
    """Print the memory by kind of seal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, services(Path(place)) as tsa:
        folder = Path(place)
        card = make_card(folder / "card", key_of(folder, "seal"), issued=issued(folder))
        sealing = {
            "token": card.settings,
            "tsa_urls": [tsa],
            "tsa_roots": str(folder / "tsa-root.crt"),
        }
        for megabytes in (1, arguments.megabytes):
            write(folder / "large.pdf", megabytes)
            for level in ("B-T", "B-LT", "B-LTA"):
                for kind in ("scan", "letter", "shown"):
                    desk = Desk(folder / f"{megabytes}-{level}-{kind}", sealing=sealing)
                    measure(desk.settings, folder / "large.pdf", level, kind)


def write(path: Path, megabytes: int) -> None:
    """Write a PDF of so many megabytes."""
    with pikepdf.new() as pdf:
        for _ in range(max(1, megabytes * 1_000_000 // _PIECE)):
            size = min(_PIECE, megabytes * 1_000_000)
            image = pdf.make_stream(
                os.urandom(size),
                Type=pikepdf.Name.XObject,
                Subtype=pikepdf.Name.Image,
                Width=size // 1000,
                Height=1000,
                ColorSpace=pikepdf.Name.DeviceGray,
                BitsPerComponent=8,
            )
            page = pdf.add_blank_page(page_size=(595, 842))
            page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=image))
            page.Contents = pdf.make_stream(b"q 595 0 0 842 0 0 cm /I Do Q")
        pdf.save(path, compress_streams=False)


def measure(settings: Settings, path: Path, level: str, kind: str) -> None:
    """Seal `path` in a new child and print what that took."""
    if kind != "scan" and level == "B-T":
        return
    store = open_store(settings)
    assignment = ordered(settings, store, path, level, kind)
    limits = Limits(memory_bytes=settings.workers.memory_bytes)
    setup = {"settings": settings.for_children(sealing=True)}
    child = Child("workers.execution:prepare", setup, limits)
    with tempfile.TemporaryDirectory(dir=settings.data) as workspace:
        request = {
            "assignment": ASSIGNMENT.dump_python(assignment, mode="json"),
            "workspace": workspace,
        }
        began = time.monotonic()
        child.call(request, 600, lambda: True)
        took = time.monotonic() - began
        status = Path(f"/proc/{child.pid}/status").read_text("ascii")
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    child.close()
    size = path.stat().st_size / 1e6
    print(
        f"{size:6.0f} MB {level:6} {kind:7} {int(peak) / 1024:6.0f} MB  {took:5.1f} s", flush=True
    )


def ordered(settings: Settings, store: Store, path: Path, level: str, kind: str) -> Assignment:
    """Return the work of sealing `path`."""
    settings.data.mkdir(parents=True)
    desk = Desk(settings.data / "desk")
    with path.open("rb") as stream:
        blob = store.put("default", stream)
    profile = "posteingang" if kind == "scan" else "bescheid"
    channel = "folder" if kind == "scan" else OUTGOING
    made = desk.letter(profile=profile, envelope=Envelope(profile=profile, channel=channel))
    noted = Rendition(
        kind=RenditionKind.NOTED,
        sha256=blob.sha256,
        size=blob.size,
        media_type="application/pdf",
        parent_sha256="0" * 64,
        tool="bench",
    )
    (source,) = made.batch.sources
    document = dataclasses.replace(of(made), renditions={RenditionKind.NOTED: noted})
    order = {"class": "bescheid", "released_by": "AB12", "visible": kind == "shown"}
    batch = dataclasses.replace(
        made.batch,
        sources=(dataclasses.replace(source, sha256=blob.sha256, size=blob.size),),
        facts={OUTGOING: order},
    )
    rules = {**made.profile["sealing"], "key": "organisation", "level": level}
    return dataclasses.replace(
        made,
        step=Step.SEALING,
        batch=batch,
        document=document,
        profile={**made.profile, "sealing": rules, "outgoing": OutgoingRules().model_dump()},
    )


if __name__ == "__main__":
    main()
