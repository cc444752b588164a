"""What `receive` turns away, it says in the shape that every reader of records knows."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from click.testing import CliRunner

from ingest.cli import cli


def test_a_file_of_unknown_type_is_reported_with_every_key_of_a_record(tmp_path: Path) -> None:
    strange = tmp_path / "fremd.bin"
    strange.write_bytes(bytes(range(256)))
    said = ["--data", str(tmp_path / "data"), "receive", str(strange), "--json"]
    result = CliRunner().invoke(cli, said, standalone_mode=False)
    assert result.return_value == 3
    record = json.loads(result.stdout)
    keys = "message_type id batch source_name sha256 stage standing reason pages source_pages"
    assert {*keys.split(), "outputs", "tenant", "reason_code"} <= record.keys()
    assert (record["message_type"], record["source_name"]) == ("unaccepted", "fremd.bin")
    assert (record["id"], record["stage"], record["outputs"]) == (None, None, {})
    assert "nicht angenommen" in record["reason"]


def test_a_date_of_receipt_in_the_future_is_refused(tmp_path: Path) -> None:
    letter = tmp_path / "brief.pdf"
    letter.write_bytes(b"%PDF-1.4")
    ahead = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3)).date().isoformat()
    said = ["--data", str(tmp_path / "data"), "receive", str(letter), "--received-at", ahead]
    result = CliRunner().invoke(cli, said)
    assert result.exit_code == 2
    assert "liegt in der Zukunft" in result.output
    assert not (tmp_path / "data").exists()
