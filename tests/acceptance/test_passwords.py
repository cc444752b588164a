"""A locked PDF is opened by a person, and the password is nowhere afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest

import profiles
from ingest.cli import passwords
from ingest.cli.app import App
from ingest.document import Envelope
from ingest.intake import receive_files
from tests.plugins import papers
from tests.plugins.accounting import batches, documents, sha256
from tests.plugins.corpus import folder
from tests.plugins.installation import ROOT, Installation

_PASSWORD = "Gänsefüßchen-4711"
_LOCKED = papers.locked_pdf("Vertrauliche Anfrage", _PASSWORD)


@pytest.fixture
def house(installation: Installation) -> Iterator[Installation]:
    yield installation
    installation.end()


def _receive(house: Installation, *contents: tuple[str, bytes]) -> str:
    paths = []
    for name, content in contents:
        paths.append(house.folder / name)
        paths[-1].write_bytes(content)
    house.command("receive", *map(str, paths), "--wait", "--json")
    (batch,) = batches(house.list_json())
    return str(batch["id"])


def _stack(house: Installation, *contents: tuple[str, bytes]) -> str:
    """Hand several files in as one stack and inspect it."""
    with App(house.data, house.config) as app:
        paths = []
        for name, content in contents:
            paths.append(house.folder / name)
            paths[-1].write_bytes(content)
        receipt = receive_files(
            app.ledger,
            app.store,
            tenant="default",
            receipt_key="stack",
            envelope=Envelope(profile="posteingang"),
            loaded=profiles.load("posteingang"),
            paths=paths,
        )
    _work(house)
    return receipt.batch_id


def _release(house: Installation, batch: str, secret: str) -> subprocess.CompletedProcess[str]:
    why = ("--operator", "op17", "--reason", "Kennwort erfragt", "--set", "password=-")
    return house.call("release", batch, *why, entered=f"{secret}\n")


def _work(house: Installation) -> list[dict[str, Any]]:
    running = house.start("work")
    try:
        return house.wait_for(
            lambda rows: all(row["standing"] in {"done", "held"} for row in rows), "the work"
        )
    finally:
        running.stop()


def _everything(house: Installation) -> Iterator[tuple[Path, bytes]]:
    """Yield all files of the installation but those that are the letter itself."""
    for path in house.folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_the_right_password_opens_and_is_nowhere_afterwards(house: Installation) -> None:
    batch = _receive(house, ("anfrage.pdf", _LOCKED))
    wrong = _release(house, batch, "falsch")
    assert wrong.returncode == 2
    assert "öffnet „anfrage.pdf“ nicht" in wrong.stderr
    assert batches(house.list_json())[0]["standing"] == "held"
    right = _release(house, batch, _PASSWORD)
    assert right.returncode == 0, right.stderr
    assert "Geöffnet: „anfrage.pdf“" in right.stdout
    rows = _work(house)
    (document,) = documents(rows)
    assert document["stage"] == "delivered"
    exported = house.folder / "text.txt"
    house.call("export", document["id"], "--what", "text", "-o", str(exported))
    assert "Vertrauliche" in exported.read_text("utf-8")
    original = Path(document["outputs"]["original"]["path"])
    assert original.read_bytes() == _LOCKED
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(original)
    secret = _PASSWORD.encode()
    assert [path for path, content in _everything(house) if secret in content] == []
    assert list((house.data / "spool").glob("*/*")) == []
    (shown,) = house.json_lines("show", batch)
    released = next(e for e in shown["events"] if e["kind"] == "released_by_clerk")
    assert released["actor"] == "op17"
    assert set(released["payload"]["opened"]) == {"1"}
    assert house.call("verify").returncode == 0


def test_of_several_locked_files_those_are_named_that_stay_locked(house: Installation) -> None:
    other = papers.locked_pdf("Zweiter Brief", "anderes")
    batch = _stack(house, ("eins.pdf", _LOCKED), ("zwei.pdf", other), ("drei.png", papers.png("x")))
    first = _release(house, batch, _PASSWORD)
    assert first.returncode == 0, first.stderr
    assert "Geöffnet: „eins.pdf“" in first.stdout
    assert "Weiter verschlossen, bleibt Klärfall: „zwei.pdf“" in first.stdout
    held = batches(_work(house))[0]
    assert held["standing"] == "held"
    assert "„zwei.pdf“" in held["reason"]
    assert "„eins.pdf“" not in held["reason"]
    assert _release(house, batch, "anderes").returncode == 0
    rows = _work(house)
    assert {row["standing"] for row in rows} == {"done"}
    assert len(documents(rows)) == 3


def test_without_a_locked_file_a_password_changes_nothing(house: Installation) -> None:
    batch = _receive(house, ("kaputt.pdf", b"%PDF-1.7\nnothing follows\n%%EOF\n"))
    refused = _release(house, batch, _PASSWORD)
    assert refused.returncode == 2
    assert "Keine Datei dieser Einlieferung" in refused.stderr
    assert batches(house.list_json())[0]["standing"] == "held"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        pytest.param("docspell__encrypted-test123.pdf", "test123", marks=pytest.mark.torture),
        ("paperless-ngx__password-is-test.pdf", "test"),
    ],
)
def test_real_locked_files_open(house: Installation, name: str, secret: str) -> None:
    path = _corpus(name)
    batch = _receive(house, (name, path.read_bytes()))
    assert _release(house, batch, secret).returncode == 0
    (document,) = documents(_work(house))
    assert document["stage"] == "delivered"
    assert document["outputs"]["original"]["sha256"] == sha256(path)


def test_a_lock_nobody_here_knows_is_said_to_be_one(house: Installation) -> None:
    name = "pdfbox__AESkeylength128.pdf"
    batch = _receive(house, (name, _corpus(name).read_bytes()))
    refused = _release(house, batch, "owner")
    assert refused.returncode == 2
    assert "Verfahren" in refused.stderr


def _corpus(name: str) -> Path:
    found = folder()
    if found is None:
        pytest.skip("no corpus folder here")
    return found / "pdf_encrypted" / name


def test_a_password_that_was_typed_leaves_the_process_list(tmp_path: Path) -> None:
    """The child names itself by its arguments; what others see of them is read from outside."""
    code = (
        "import sys; from ingest.cli.passwords import hide; hide(sys.argv[1].partition('=')[2]);"
        "print('hidden', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"password={_PASSWORD}", "after"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == b"hidden\n"
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.stdin.close()
    assert _PASSWORD.encode() not in seen
    assert seen.endswith(b"*\0after\0")


def test_a_password_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[bool] = []

    def prompt(_text: str, *, hide_input: bool, err: bool) -> str:
        asked.append(hide_input and err)
        return _PASSWORD

    monkeypatch.setattr("click.prompt", prompt)
    assert passwords.entered("-") == _PASSWORD
    assert asked == [True]
