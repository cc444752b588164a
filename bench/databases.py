"""Databases for measurements: a SQLite file or a PostgreSQL server of the bench's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess  # noqa: TID251 - the bench starts the server it measures
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg

from bench.running import descendants

_TICK = os.sysconf("SC_CLK_TCK")
_NANO = 1e-9
#: Durable as installed: only what stands in the way of loading is changed, while loading.
_LOADING = {"fsync": "off", "autovacuum": "off", "max_wal_size": "16GB", "wal_level": "minimal"}
_LOADING |= {"max_wal_senders": "0", "shared_buffers": "1GB", "maintenance_work_mem": "256MB"}


class Connection(Protocol):
    """A raw connection that commits every statement by itself."""

    def execute(self, statement: Any, /) -> Any:
        """Execute one statement."""


class Sqlite:
    """SQLite files in a folder."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        """Name the folder, which exists."""
        self._folder = folder

    def url(self, database: str) -> str:
        """Return the ledger's URL of a database; the file is made when it is opened."""
        return f"sqlite:///{self._folder / database}.sqlite"

    def load(self) -> None:
        """Do nothing: there is no server."""

    def serve(self) -> None:
        """Do nothing: there is no server."""

    def stop(self) -> None:
        """Do nothing: there is no server."""

    def cpu(self) -> float:
        """Return 0: all work is done in the client."""
        return 0.0

    @contextlib.contextmanager
    def loading(self, database: str) -> Iterator[Connection]:
        """Yield a connection for loading, without durability."""
        path = self._folder / f"{database}.sqlite"
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA cache_size=-1048576")
            yield connection
            # nobody analyses an installed SQLite ledger either
        finally:
            connection.close()

    def size(self, database: str) -> int:
        """Return bytes on disk."""
        return (self._folder / f"{database}.sqlite").stat().st_size


class Postgres:
    """A PostgreSQL server on a private port."""

    name = "postgresql"

    def __init__(self, folder: Path) -> None:
        """Create the cluster in a folder of its own."""
        found = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        newest = max(found, key=lambda path: int(path.parts[-3]), default=None)
        if newest is None:
            raise SystemExit("PostgreSQL is not installed below /usr/lib/postgresql")
        self._binaries = newest.parent
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._as_user = ["setpriv", "--pdeathsig=INT"]
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._as_user += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
        command = [str(self._binaries / "initdb"), "-D", str(folder / "db"), "-U", "bench"]
        options = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run([*self._as_user, *command, *options], check=True, capture_output=True)

    def url(self, database: str) -> str:
        """Return the URL of a database, made if it is not there."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(known, (database,)).fetchone() is None:
                connection.execute(f"CREATE DATABASE {database}".encode())
        return self._address(database)

    def _address(self, database: str) -> str:
        return f"postgresql://bench@127.0.0.1:{self._port}/{database}"

    def load(self) -> None:
        """Start the server for loading, without durability."""
        self._start(_LOADING)

    def serve(self) -> None:
        """Start the server with its own defaults."""
        self._start({})

    def _start(self, settings: dict[str, str]) -> None:
        self.stop()
        places = {"listen_addresses": "127.0.0.1", "port": str(self._port)}
        places |= {"unix_socket_directories": str(self._folder), "logging_collector": "off"}
        options = [f"--{key}={value}" for key, value in (places | settings).items()]
        program = [str(self._binaries / "postgres"), "-D", str(self._folder / "db"), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*self._as_user, *program], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self._address("postgres"), connect_timeout=5).close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((self._folder / "log").read_text(errors="replace"))
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server; what it holds is written."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def cpu(self) -> float:
        """Return CPU seconds of the server: its processes and those that ended."""
        if self._process is None:
            return 0.0
        root = Path("/proc") / str(self._process.pid)
        ended = (root / "stat").read_text("ascii").rsplit(")", 1)[1].split()[13:15]
        total = sum(map(int, ended)) / _TICK
        for pid in descendants(self._process.pid):
            with contextlib.suppress(OSError):
                total += (
                    int((Path("/proc") / str(pid) / "schedstat").read_text().split()[0]) * _NANO
                )
        return total

    @contextlib.contextmanager
    def loading(self, database: str) -> Iterator[Connection]:
        """Yield a connection for loading; afterwards the statistics are fresh."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys
            connection.execute("SET synchronous_commit = off")
            yield connection
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")

    def size(self, database: str) -> int:
        """Return bytes on disk."""
        with psycopg.connect(self._address(database)) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0


Database = Sqlite | Postgres


def open_database(name: str, folder: Path) -> Database:
    """Return the database of this name with its data below `folder`."""
    own = folder / name
    own.mkdir()
    folder.chmod(0o755)  # the server's own user has to reach it
    return Sqlite(own) if name == "sqlite" else Postgres(own)


def require_space(folder: Path, needed: int) -> None:
    """Raise SystemExit where the disk has not got `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(f"{folder} has {free / 1e9:.0f} GB free, {needed / 1e9:.0f} are needed")
