"""Connections to the ledger's database and what its failures mean.

SQLite runs with a write-ahead log and `synchronous=FULL`: a commit that returned survives
a power cut. Writing transactions begin IMMEDIATE, so two processes queue up instead of
failing half-way. PostgreSQL keeps its defaults, which promise the same; a connection that
died with the server is noticed before it is used.

A document's way is some thirty transactions, so what every one of them costs counts:
connections are looked at locally before they are asked, and readers end so that the driver
keeps its prepared statements.
"""

from __future__ import annotations

import select
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc

from ingest.errors import LedgerUnavailable

BUSY_SECONDS: Final = 30
#: A network may cut a silent connection off without a word; younger ones are not asked.
_IDLE_SECONDS: Final = 30.0
_OUTAGES: Final = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
#: Classes of SQLSTATE that say nothing about the statement: connection, state of the
#: transaction (a standby is read-only), deadlock, resources, intervention, system.
_OUTAGE_STATES: Final = frozenset({"08", "25", "40", "53", "57", "58"})
_HELD_UP: Final = "55P03"
#: A dead network is noticed within seconds, not after the two hours of a kernel's default.
_CONNECTION: Final = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
#: Where there is an index it is used, whatever the statistics of a young table say; where
#: there is none, the switched-off scan must not look dear enough to be compiled. A process
#: that freezes or a machine that vanishes keeps no lock for longer than the timeouts.
_SESSION: Final = {
    "enable_seqscan": "off",
    "jit": "off",
    "idle_in_transaction_session_timeout": "15s",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_PATIENCE: Final = sa.select(
    sa.func.set_config("statement_timeout", "0", sa.true()),
    sa.func.set_config("idle_in_transaction_session_timeout", "0", sa.true()),
)


def open_engine(url: str) -> sa.Engine:
    """Return an engine for `sqlite:///…` or `postgresql://…`; nothing is connected yet.

    Raises:
        LedgerUnavailable: The folder of the SQLite file cannot be made.
    """
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        return _open_sqlite(address)
    if address.drivername in {"postgresql", "postgres"}:
        address = address.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(
        address, connect_args=_manners(address), pool_size=5, max_overflow=45, hide_parameters=True
    )
    sa.event.listen(engine, "checkout", _require_alive)
    sa.event.listen(engine, "checkin", _note_rest)
    return engine


def _manners(address: sa.URL) -> dict[str, Any]:
    """Return how connections behave; what the URL says about the same is stronger."""
    asked = address.query.get("options", ())
    theirs = (asked,) if isinstance(asked, str) else tuple(asked)
    session = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    own = {name: value for name, value in _CONNECTION.items() if name not in address.query}
    return {**own, "options": " ".join((session, *theirs))}


def _note_rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _require_alive(connection: Any, record: Any, _proxy: Any) -> None:
    """Notice a connection that died while it rested; the pool then makes new ones.

    A server that ends says so on the connection, or the kernel does: there is something to
    read, which nothing else causes while a connection rests. Only then, or after a long
    rest, is it worth the round trip of asking.
    """
    rested = time.monotonic() - record.info.get("rests_since", time.monotonic())
    if rested < _IDLE_SECONDS and not _is_readable(connection):
        return
    from psycopg import OperationalError

    try:
        connection.execute("SELECT 1")
        connection.commit()
    except OperationalError as error:
        raise exc.InvalidatePoolError from error


def _is_readable(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _open_sqlite(address: sa.URL) -> sa.Engine:
    if address.database:
        try:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unavailable(error) from error
    engine = sa.create_engine(
        address,
        connect_args={"timeout": BUSY_SECONDS},
        pool_size=5,
        max_overflow=45,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
    cursor.execute("PRAGMA cache_size=-16384")  # KiB: the upper levels of every index
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def unavailable(error: Exception) -> LedgerUnavailable:
    """Return the outage that `error` is."""
    text = (
        "Das Verzeichnis (Datenbank) ist nicht erreichbar oder hat keinen Platz mehr. "
        "Es ging nichts verloren; die Arbeit geht weiter, sobald die Datenbank antwortet: "
        "bitte Dienst, Netz und freien Speicherplatz prüfen."
    )
    return LedgerUnavailable(f"ledger unavailable: {error}", operator_text=text)


@contextmanager
def outages() -> Iterator[None]:
    """Turn what the driver says about an outage into `LedgerUnavailable`.

    Raises:
        LedgerUnavailable: The database does not answer, is locked, or has no space.
    """
    try:
        yield
    except _OUTAGES as error:
        raise unavailable(error) from error
    except exc.DBAPIError as error:
        if error.connection_invalidated or _state(error)[:2] in _OUTAGE_STATES:
            raise unavailable(error) from error
        raise


def _state(error: exc.DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def is_held_up(error: LedgerUnavailable) -> bool:
    """Tell whether the outage is a lock that somebody else did not give up in time."""
    cause = error.__cause__
    return isinstance(cause, exc.DBAPIError) and _state(cause) == _HELD_UP


def be_patient(connection: sa.Connection) -> None:
    """Let this transaction take its time: it streams much, or waits for the store."""
    if connection.dialect.name == "postgresql":
        connection.execute(_PATIENCE)


def forget_log(engine: sa.Engine) -> bool:
    """Empty SQLite's write-ahead log, which holds pages as they were before they changed.

    What is deleted is overwritten in the database itself (`secure_delete`). PostgreSQL keeps
    old rows until its vacuum and old pages in its own log and archives: out of reach here.

    Returns:
        Whether nothing of before is left; False while somebody still reads an older state, and
        always on PostgreSQL.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    if engine.dialect.name != "sqlite":
        return False
    with outages():
        connection = engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answer = cursor.fetchone()
            cursor.close()
        finally:
            connection.close()
    return answer is not None and answer[0] == 0  # not busy


_HOLD: Final = sa.select(
    sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.bindparam("named"), 7226_2702))
)


def hold(connection: sa.Connection, name: str) -> None:
    """Be alone with what `name` says until the transaction ends.

    SQLite has one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_HOLD, {"named": name})


@contextmanager
def reading(engine: sa.Engine, *, patient: bool = True) -> Iterator[sa.Connection]:
    """Yield a connection in a transaction that writes nothing: one snapshot.

    Args:
        engine: Of the ledger.
        patient: A backup reads for hours and pauses between; False for a quick look, which
            spares the statement that allows it.

    Raises:
        LedgerUnavailable: The database does not answer.
    """
    with outages(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        if patient:
            be_patient(connection)
        yield connection
        # after a rollback the driver forgets all statements it has prepared
        connection.commit()


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in a transaction that commits at the end, or not at all.

    Raises:
        LedgerUnavailable: The database does not answer, is locked, or has no space;
            nothing was committed.
    """
    with (
        outages(),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        yield connection
