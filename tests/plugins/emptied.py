"""Empty ledgers, ready at once: the schema is made once per process and copied from then on.

A schema takes a tenth of a second of a core, on a server twice that, and so does compiling the
statements of one test, which a thousand tests would pay. Whoever tests how a schema comes about
opens an empty database instead.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from ingest.ledger import Ledger, open_ledger

_dialects: dict[str, sa.Dialect] = {}
_statements: dict[object, object] = {}


def empty_ledger(path: Path) -> Ledger:
    """Open an empty ledger in a new SQLite file; the caller closes it."""
    lay_empty_ledger(path)
    return open_practised(f"sqlite:///{path}")


def open_practised(url: str) -> Ledger:
    """Open a ledger that knows the statements of all before it, as in a process that lives long."""
    ledger = open_ledger(url)
    engine = ledger._engine
    # what is compiled is kept by dialect object
    engine.dialect = _dialects.setdefault(engine.dialect.name, engine.dialect)
    engine.update_execution_options(compiled_cache=_statements)
    return ledger


def lay_empty_ledger(path: Path) -> None:
    """Write the file of an empty ledger.

    Raises:
        FileExistsError: There is one already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(_schema())


@cache
def _schema() -> bytes:
    """Return the file of a ledger that nothing was ever written to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.sqlite")
        open_ledger(f"sqlite:///{path}").close()
        assert [left.name for left in path.parent.iterdir()] == [path.name], "all is in the file"
        return path.read_bytes()
