"""Bundles in the hands of somebody else: examined with a bare Python, or forged."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from workers.evidence.bundle.verifier import source

_PATH, _NOWHERE = "/usr/bin:/bin", "/nonexistent"
_MARKS = {"stimmt": "held", "VERLETZT": "broken", "nicht geprüft": "skipped"}


@dataclass
class Said:
    """What a verifier said, line by line without the mark."""

    code: int
    held: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def examined(bundle: Path, *arguments: str, openssl: bool = True) -> Said:
    """Have a bundle examined by an untouched copy of the verifier, loaded into this process."""
    said = io.StringIO()
    path = {"PATH": _PATH if openssl else _NOWHERE}
    with redirect_stdout(said), mock.patch.dict(os.environ, path):
        code: int = _verifier().main([*arguments, str(bundle)])
    return _sorted(code, said.getvalue())


def examined_apart(bundle: Path, *arguments: str, openssl: bool = True) -> Said:
    """Run the bundle's own verifier: a bare Python, isolated, in an empty environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(bundle / "pruefen.py"), *arguments],
        cwd="/",
        env={"PATH": _PATH if openssl else _NOWHERE},
        check=False,
        capture_output=True,
    )
    assert not done.stderr, done.stderr.decode()
    return _sorted(done.returncode, done.stdout.decode())


@functools.cache
def _verifier() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pruefen.py"
        path.write_bytes(source())
        spec = importlib.util.spec_from_file_location("pruefen", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["pruefen"] = module  # where dataclasses look
        spec.loader.exec_module(module)
        return module


def _sorted(code: int, text: str) -> Said:
    said = Said(code)
    for line in text.splitlines():
        for mark, name in _MARKS.items():
            if line.startswith(mark):
                getattr(said, name).append(line[len(mark) :].strip())
    return said


def only(output: Path) -> Path:
    """Return the only bundle in a folder."""
    (bundle,) = output.iterdir()
    return bundle


def forged(bundle: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file and make the list anew, as whoever forges with care does; unsigned."""
    path = bundle / name
    before = path.read_bytes()
    after = change(before)
    assert after != before, "nothing was forged"
    path.write_bytes(after)
    (bundle / "manifest.p7s").unlink(missing_ok=True)
    manifest = bundle / "manifest.sha256"
    files = sorted(
        path.relative_to(bundle).as_posix()
        for path in bundle.rglob("*")
        if path.is_file() and path != manifest
    )
    manifest.write_text(
        "".join(
            f"{hashlib.sha256((bundle / one).read_bytes()).hexdigest()}  {one}\n" for one in files
        ),
        "utf-8",
    )


def rewritten(content: bytes, *steps: Any) -> bytes:
    """Return a JSON file with the value at the end of a path of keys replaced by the last step."""
    said: Any = json.loads(content)
    *way, last, value = steps
    place = said
    for step in way:
        place = place[step]
    place[last] = value
    return json.dumps(said).encode()
