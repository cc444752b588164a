"""Bundles in the hands of somebody else: examined with a bare Python, or forged."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import json
import os
import re
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
_MARKS = {
    "stimmt": "held",
    "VERLETZT": "broken",
    "nicht geprüft": "skipped",
    "nicht belegt": "unproven",
    "Hinweis": "hints",
}


@dataclass
class Said:
    """What a verifier said, line by line without the mark, and its verdict."""

    code: int
    verdict: str = ""
    held: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)


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
        if line.startswith("Ergebnis: "):
            said.verdict = line
        if line.startswith("  "):
            said.signers.append(line.strip())
        for mark, name in _MARKS.items():
            if line.startswith(mark):
                getattr(said, name).append(line[len(mark) :].strip())
    return said


def only(output: Path) -> Path:
    """Return the only bundle in a folder."""
    (bundle,) = output.iterdir()
    return bundle


def forged(bundle: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file and make the list anew, as whoever forges with care does."""
    path = bundle / name
    before = path.read_bytes()
    after = change(before)
    assert after != before, "nothing was forged"
    path.write_bytes(after)
    listed(bundle)


def listed(bundle: Path) -> None:
    """Make the list of files anew, unsigned and said to be so."""
    (bundle / "manifest.p7s").unlink(missing_ok=True)
    subject = bundle / "beweis.json"
    subject.write_bytes(rewritten(subject.read_bytes(), "sealed_by", None))
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


def _lines(content: bytes, change: Callable[[dict[str, Any]], bool]) -> bytes:
    """Change the first line of a log for which `change` does something."""
    lines = [json.loads(line) for line in content.splitlines()]
    assert any(map(change, lines))
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _by(line: dict[str, Any]) -> bool:
    if line.get("kind") != "noted":
        return False
    line["actor"] = "op99"
    return True


def _said(line: dict[str, Any]) -> bool:
    if line.get("kind") != "received":
        return False
    line["payload"]["operator"] = "op99"
    return True


def _way(line: dict[str, Any]) -> bool:
    if line["message_type"] != "anchor":
        return False
    line["path"][0] = "00" * 32
    return True


def _silent(line: dict[str, Any]) -> bool:
    if line.get("kind") != "sealed":
        return False
    line["salt"] = line["payload"] = None
    return True


#: What is forged in which file, and what the verifier must say of it.
FORGERIES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "a PDF kept quiet": (
        "beweis.json",
        lambda said: rewritten(said, "pdf", None),
        "beweis.json: scanprodukt.pdf ist nicht genannt",
    ),
    "who scanned": (
        "stapel",
        lambda said: rewritten(said, "operator", "op99"),
        "operator: anders als im Ereignis „received“",
    ),
    "when it came": (
        "stapel",
        lambda said: rewritten(said, "received_at", "2026-01-01T00:00:00+00:00"),
        "received_at: anders als im Ereignis „received“",
    ),
    "when it was registered": (
        "stapel",
        lambda said: rewritten(said, "registered_at", "2026-01-01T00:00:00+00:00"),
        "Registrierung: anders als im Ereignis „received“",
    ),
    "what arrived": (
        "stapel",
        lambda said: rewritten(said, "sources", 0, "size", 1),
        "Dateien: anders als im Ereignis „received“",
    ),
    "where the paper lies": (
        "vernichtung.json",
        lambda said: rewritten(said, "storage_place", "vernichtet durch VRN"),
        "vernichtung.json: ein anderer Ablageort",
    ),
    "what checking found": (
        "pruefberichte/kontrolle.json",
        lambda said: rewritten(said, "checks", 0, "passed", False),
        "kontrolle.json: anders, als das Ereignis „checked“ festhält",
    ),
    "what inspection found": (
        "pruefberichte/eingang.json",
        lambda said: rewritten(said, 0, "facts", "signed", True),
        "eingang.json: Datei 1: anders, als das Ereignis „inspected“ festhält",
    ),
    "a note kept quiet": (
        "beweis.json",
        lambda said: rewritten(said, "note", None),
        "beweis.json: ein Vermerk ist nicht genannt",
    ),
    "a record over nothing": (
        "beweis.json",
        lambda said: rewritten(said, "records", 0, "files", []),
        "evidence-record.er: beweist nichts",
    ),
    "who did it": ("protokoll.jsonl", lambda log: _lines(log, _by), "Ereignis 5: wurde verändert"),
    "what was said": (
        "protokoll.jsonl",
        lambda log: _lines(log, _said),
        "Ereignis 1: der Inhalt wurde verändert",
    ),
    "the way to the root": (
        "protokoll.jsonl",
        lambda log: _lines(log, _way),
        "Tageswurzel 2026-11-25: der Weg führt nicht zur Wurzel",
    ),
    "a payload taken out": (
        "protokoll.jsonl",
        lambda log: _lines(log, _silent),
        "Ereignis 6: ohne Inhalt und ohne Grund",
    ),
    "the last event cut off": (
        "protokoll.jsonl",
        lambda log: b"\n".join(log.split(b"\n")[:-3]),
        "nicht das, mit dem die Kette endet",
    ),
    "a chain left out": (
        "protokoll.jsonl",
        lambda log: b"\n".join(log.split(b"\n")[:10]),
        "protokoll.jsonl: enthält nicht genau die Ketten",
    ),
    "a note altered": (
        "scanvermerk.xml",
        lambda note: note.replace(b">op17<", b">op18<"),
        "scanprodukt.pdf: der eingebettete Vermerk ist nicht scanvermerk.xml",
    ),
    "a note of somebody else": (
        "scanvermerk.xml",
        lambda note: re.sub(rb"(<Stapel>\s*<Kennung>).", rb"\1f", note),
        "scanvermerk.xml: gehört zu einem anderen",
    ),
    "a page's digest": (
        "stapel",
        lambda said: rewritten(said, "pages", 0, "sha256", "00" * 32),
        "Abbild 1: der Vermerk nennt eine andere Prüfsumme",
    ),
    "a document left out": (
        "stapel",
        lambda said: rewritten(said, "documents", 0, "pages", []),
        "andere Dokumente oder weggelassene Seiten",
    ),
    "another profile": (
        "verfahrensdokumentation/profil.json",
        lambda said: rewritten(said, "sha256", "00" * 32),
        "profil.json: eine andere Fassung",
    ),
    "another file of a profile": (
        "verfahrensdokumentation/profil.toml",
        lambda file: file + b"# nachgetragen\n",
        "profil.toml: nicht die Datei dieser Fassung",
    ),
    "the PDF continued": (
        "scanprodukt.pdf",
        lambda pdf: pdf + b"%nachgetragen\n",
        "14 Bytes hinter der letzten Signatur deckt nichts",
    ),
    "the PDF altered": (
        "scanprodukt.pdf",
        lambda pdf: pdf.replace(b"/Type /Page", b"/Type /PagX"),
        "die Bytes sind nicht die unterschriebenen",
    ),
    "another PDF than was sealed": (
        "scanprodukt.pdf",
        lambda pdf: pdf + b"\n",
        "scanprodukt.pdf: Ereignis „sealed“: andere Prüfsumme",
    ),
    "an original altered": (
        "original-eingang/001-Erika.png",
        lambda image: image + b"x",
        "scanvermerk.xml: nennt ein anderes Original",
    ),
    "a record altered": (
        "evidence-record.er",
        lambda er: er[:60] + bytes([er[60] ^ 1]) + er[61:],
        "evidence-record.er: beweist nichts",
    ),
}
