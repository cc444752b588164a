"""Nothing lost, nothing twice: proved by SHA-256 over inbox, ledger, store and outbox."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.plugins.installation import Dropped, Installation

Row = Mapping[str, Any]
_ENDED = frozenset({"done", "rejected", "superseded"})
_PERSON = frozenset({"held", "quarantined"})


def account(
    installation: Installation, *, remaining: Sequence[Dropped] = (), outbox: Path | None = None
) -> list[dict[str, Any]]:
    """Prove that a settled installation has everything exactly once, and return its rows.

    Args:
        installation: Everything in it has come to an end or to a person.
        remaining: What was dropped and rightly lies in the inbox still; links do not count.
        outbox: Where it delivers to, if not in its own folder.
    """
    rows = installation.list_json()
    problems = [
        *_arrivals(installation, rows, remaining),
        *_standings(rows),
        *_pages(rows),
        *_deliveries(rows, outbox or installation.outbox),
        *_leftovers(installation),
        *_bugs(installation),
    ]
    assert not problems, "\n".join([*problems, installation.picture(rows)])
    return rows


def sha256(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def batches(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of batches."""
    return [row for row in rows if row["message_type"] == "batch"]


def documents(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of documents."""
    return [row for row in rows if row["message_type"] == "document"]


def _arrivals(
    installation: Installation, rows: Sequence[Row], remaining: Sequence[Dropped]
) -> Iterator[str]:
    """Dropped = in the inbox + in the ledger, each exactly once."""
    expected = Counter(file.sha256 for file in installation.dropped)
    present = Counter(
        sha256(path)
        for path in installation.inbox_files()
        if path.is_file() and not path.is_symlink()
    )
    received = Counter(source["sha256"] for row in batches(rows) for source in row["sources"])
    names = {file.sha256: str(file.path) for file in installation.dropped}
    for digest in expected | present | received:
        if present[digest] + received[digest] != expected[digest]:
            yield (
                f"{names.get(digest, digest)}: dropped {expected[digest]}, "
                f"in the inbox {present[digest]}, in the ledger {received[digest]}"
            )
    if present != Counter(file.sha256 for file in remaining if file.sha256):
        left = [str(path.relative_to(installation.inbox)) for path in installation.inbox_files()]
        yield f"in the inbox there should be {[str(f.path) for f in remaining]}, there is {left}"


def _standings(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        standing = row.get("standing")
        if row["message_type"] == "unaccepted" or standing in _ENDED:
            continue
        if standing not in _PERSON:
            yield f"{row['message_type']} {row['source_name']}: still {standing}"
        elif not row["reason"]:
            yield f"{row['message_type']} {row['source_name']}: {standing} without a reason"


def _pages(rows: Sequence[Row]) -> Iterator[str]:
    """Every page of a finished arrival is in exactly one document, or named as left out."""
    for batch in batches(rows):
        if batch["standing"] != "done":
            continue
        own = [row for row in documents(rows) if row["batch"] == batch["id"]]
        current = [row for row in own if row["standing"] != "superseded"]
        used = Counter(page for row in current for page in row["source_pages"])
        used.update(left_out["page"] for left_out in batch["omitted"])
        total = sum(source["pages"] or 0 for source in batch["sources"])
        if used != Counter(range(1, total + 1)):
            yield f"batch {batch['source_name']} of {total} pages accounts for {sorted(used)}"
        if not own and not batch["omitted"]:
            yield f"batch {batch['source_name']} is done and has no document"


def _deliveries(rows: Sequence[Row], outbox: Path) -> Iterator[str]:
    """Every finished document lies in the outbox once, whole, and nothing else does."""
    wanted = {row["id"]: row for row in documents(rows) if row["stage"] == "delivered"}
    seen: Counter[str] = Counter()
    named: set[Path] = set()
    for path in sidecars(outbox):
        sidecar = json.loads(path.read_text("utf-8"))
        seen[sidecar["document"]] += 1
        files = {path.parent / name: digest for name, digest in delivered_files(sidecar).items()}
        named |= {path, path.with_suffix(".ready"), *files}
        yield from _damage(files)
        if not path.with_suffix(".ready").exists():
            yield f"{path} is not marked ready"
    for identifier in seen.keys() | wanted.keys():
        if seen[identifier] != (identifier in wanted):
            yield f"document {identifier} lies in the outbox {seen[identifier]} times"
    for path in outbox.glob("[!.]*/**/*"):
        if path.is_file() and path not in named:
            yield f"nobody's file in the outbox: {path.relative_to(outbox)}"
    for row in wanted.values():
        places = [output for output in row["outputs"].values() if output.get("path")]
        yield from _damage({Path(place["path"]): place["sha256"] for place in places})


def _damage(files: Mapping[Path, str]) -> Iterator[str]:
    for path, digest in files.items():
        if not path.exists():
            yield f"{path} is missing"
        elif sha256(path) != digest:
            yield f"{path} does not have the digest it was recorded with"


def sidecars(outbox: Path) -> list[Path]:
    """Return the sidecar of every delivery in the departments' folders."""
    return sorted(outbox.glob("[!.]*/**/*.json"))


def delivered_files(sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Return digest by name of the files a sidecar speaks for."""
    return {entry["name"]: entry["sha256"] for entry in sidecar["outputs"].values()}


def _leftovers(installation: Installation) -> Iterator[str]:
    """Nothing of an attempt stays; executors that live keep their empty folder."""
    for data in installation.machines:
        for path in (*data.glob("spool/*/*"), *data.glob("store/*/.tmp/*")):
            yield f"left over: {path.relative_to(installation.folder)}"


def _bugs(installation: Installation) -> Iterator[str]:
    for line in installation.log_lines():
        if line.get("code") == "bug":
            yield f"bug in {line.get('step')}: {line.get('error')}"
