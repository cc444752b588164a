"""Evidence in tests: proper tokens without a network, and a judge that is not ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import tsp

from tests.plugins.authority import Authority
from workers.evidence import record, tokens, tree

_JUDGE = Path(__file__).with_name("EvidenceJudge.java")
_JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("bcprov", "bcutil", "bcpkix")]


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def token(authority: Authority, imprint: bytes) -> bytes:
    """Return a proper token over a digest."""
    algorithm = tree.algorithm_of(imprint)
    wanted = {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": imprint}
    request: Any = tsp.TimeStampReq({"version": 1, "message_imprint": wanted, "cert_req": True})
    response: Any = authority._stampers[None].request_tsa_response(request)
    encoded: bytes = response["time_stamp_token"].dump()
    return encoded


def records(
    authority: Authority, groups: Sequence[Sequence[bytes]]
) -> tuple[tree.Tree, list[tuple[record.ArchiveTimeStamp, ...]]]:
    """Return a tree over groups of digests and the chain of each group, of one timestamp."""
    grown = tree.Tree([tree.combined(group) for group in groups])
    stamp = token(authority, grown.root)
    return grown, [
        (record.ArchiveTimeStamp(record.reduced(group, path), stamp),)
        for group, path in zip(groups, grown.paths(), strict=True)
    ]


def renewed(
    authority: Authority, chains: Sequence[tuple[record.ArchiveTimeStamp, ...]]
) -> list[tuple[record.ArchiveTimeStamp, ...]]:
    """Return chains, each of another batch, with one more timestamp over all of them."""
    groups = [
        record.token_digests([stamp.token for stamp in chain], imprint_algorithm(chain))
        for chain in chains
    ]
    grown = tree.Tree([tree.combined(group) for group in groups])
    stamp = token(authority, grown.root)
    return [
        (*chain, record.ArchiveTimeStamp(record.reduced(group, path), stamp))
        for chain, group, path in zip(chains, groups, grown.paths(), strict=True)
    ]


def imprint_algorithm(chain: Sequence[record.ArchiveTimeStamp]) -> str:
    return tokens.read(chain[0].token).algorithm


def rehashed(
    authority: Authority,
    documents: Sequence[Sequence[bytes]],
    chains: Sequence[Sequence[Sequence[record.ArchiveTimeStamp]]],
    algorithm: str,
) -> list[tuple[record.ArchiveTimeStamp, ...]]:
    """Return a new chain for each document, given as its files, over its chains so far."""
    groups = [
        [record.rehashed(hashlib.new(algorithm, part).digest(), before) for part in parts]
        for parts, before in zip(documents, chains, strict=True)
    ]
    return records(authority, groups)[1]


class Judge:
    """BouncyCastle's opinion on records and files."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        """Compile the runner; without Java skip, with `CI=true` fail."""
        missing = [path.name for path in _JARS if not path.exists()]
        missing += [name for name in ("javac", "java") if shutil.which(name) is None]
        if missing:
            message = f"{', '.join(missing)} missing: apt-get install libbcpkix-java and a JDK"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        self._root = folder / "root.pem"
        self._root.write_bytes(authority.root)
        self._path = ":".join(map(str, (folder, *_JARS)))
        command = ["javac", "-cp", self._path, "-d", str(folder), str(_JUDGE)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def opinions(self, cases: Iterable[tuple[Path, Sequence[Path]]]) -> list[str]:
        """Return for each record with its files "ok", or "refused" and why."""
        lines = ["\t".join(map(str, (record_file, *files))) for record_file, files in cases]
        done = subprocess.run(
            ["java", "-cp", self._path, "EvidenceJudge", str(self._root)],
            input="".join(f"{line}\n" for line in lines),
            check=True,
            capture_output=True,
            text=True,
        )
        said = done.stdout.splitlines()
        assert len(said) == len(lines), done.stdout + done.stderr
        return said
