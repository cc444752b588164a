"""The deletion record as a file, for the office that has to keep it instead of the scan."""

from __future__ import annotations

import json
from pathlib import Path

from ingest.cli.app import App


def write_deletion(app: App, identifier: str, output: Path) -> None:
    """Write the deletion record to `output`, which must not exist: a page where it ends so.

    The same record gives the same bytes.

    Raises:
        UsageError: There is no such batch or document, or it was not erased; nothing was written.
    """
    from console.deletions import page
    from ingest.ledger.deletions import record

    with app.ledger.reading() as connection:
        found = record(connection, identifier)
    if output.suffix.lower() in {".html", ".htm"}:
        text = page(found, app.settings.house.zone)
    else:
        text = json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    with output.open("x", encoding="utf-8") as target:
        target.write(text)
