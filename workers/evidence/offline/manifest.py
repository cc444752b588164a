"""The list of all files: none missing, none besides, none changed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from workers.evidence.offline.findings import Findings

_MANIFEST_FILE = "manifest.sha256"
#: They cannot stand in the list: it would have to name its own digest.
_UNLISTED = frozenset({_MANIFEST_FILE, "manifest.p7s"})
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_PIECE_OF_FILE = 1 << 20


#: By path and algorithm: several questions are about the same file, which may be large.
_digests_found: dict[tuple[Path, str], str] = {}


def digest_of_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the digest of a file in hexadecimal; it is read once (`read_anew`)."""
    if (path, algorithm) not in _digests_found:
        digest = hashlib.new(algorithm)
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE_OF_FILE):
                digest.update(piece)
        _digests_found[path, algorithm] = digest.hexdigest()
    return _digests_found[path, algorithm]


def read_anew() -> None:
    """Forget what was read: another bundle begins."""
    _digests_found.clear()


def check_manifest(folder: Path, findings: Findings) -> None:
    """Say of every file whether it is the one that the list names."""
    try:
        lines = (folder / _MANIFEST_FILE).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        findings.breaks(_MANIFEST_FILE, f"nicht lesbar: {type(error).__name__}")
        return
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        if found is None:
            findings.breaks(_MANIFEST_FILE, f"Zeile {number} ist keine Prüfsumme mit Namen")
        else:
            listed[found.group(2)] = found.group(1)
    present = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
    wrong = 0
    for name in sorted({*listed, *present} - _UNLISTED):
        problem = _problem(listed.get(name), present.get(name))
        if problem is not None:
            wrong += 1
            findings.breaks(name, problem)
    if not wrong:
        findings.holds(_MANIFEST_FILE, f"alle {len(listed)} Dateien unverändert, keine fehlt")


def _problem(said: str | None, path: Path | None) -> str | None:
    if path is None:
        return "fehlt"
    if path.is_symlink() or not path.is_file():
        return "ist keine gewöhnliche Datei"
    if said is None:
        return f"steht nicht in {_MANIFEST_FILE}"
    return None if digest_of_file(path) == said else "die Datei ist verändert"
