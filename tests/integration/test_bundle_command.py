"""`evidence` on the command line: where it writes, what it says, how it refuses."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.cli import cli
from tests.plugins import papers
from tests.plugins.bundles import examined, only
from tests.plugins.bureau import Bureau


@pytest.fixture(scope="module")
def bureau(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bureau]:
    """A house without an authority: sealed by the installation, nothing secured."""
    made = Bureau(tmp_path_factory.mktemp("bureau"))
    made.take({"Erika.png": papers.png("Ein Brief von Erika")})
    yield made
    made.ledger.close()


def call(bureau: Bureau, *arguments: str) -> object:
    command = ["--data", str(bureau.settings.data), "evidence", *arguments]
    return cli.main(command, standalone_mode=False)


def document(bureau: Bureau) -> str:
    with bureau.ledger.reading() as connection:
        from ingest.ledger.reading import rows

        (found,) = [row for row in rows(connection) if row["message_type"] == "document"]
    return str(found["id"])


def test_one_object_a_bundle_and_a_folder_that_verifies(
    bureau: Bureau, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "paket"
    assert call(bureau, document(bureau)[:12], "-o", str(output), "--json") == 0
    (said,) = map(json.loads, capsys.readouterr().out.splitlines())
    bundle = only(output)
    files = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert (said["message_type"], said["document"]) == ("bundle", document(bureau))
    assert (said["folder"], set(said["files"])) == (bundle.name, files)
    assert [one["part"] for one in said["absent"]] == ["evidence-record.er"]
    found = examined(bundle)
    assert (found.code, found.broken) == (0, [])
    assert any("noch keine über diese Kette" in line for line in found.skipped)


def test_an_archive_for_people_without_a_signature(
    bureau: Bureau, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "paket.zip"
    assert call(bureau, document(bureau), "-o", str(output), "--zip", "--seal", "none") == 0
    text = capsys.readouterr().out
    assert "nicht enthalten: evidence-record.er" in text
    assert "LIESMICH.html" in text
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "hier")
    found = examined(only(tmp_path / "hier"))
    assert found.code == 0
    assert "manifest.p7s: das Paket ist nicht unterschrieben" in found.skipped


def test_without_a_token_there_is_no_seal_of_the_organisation(
    bureau: Bureau, tmp_path: Path
) -> None:
    from ingest.errors import Misconfigured

    output = tmp_path / "paket"
    with pytest.raises(Misconfigured, match="no key of the organisation"):
        call(bureau, document(bureau), "-o", str(output), "--seal", "organisation")
    assert list(tmp_path.iterdir()) == []
