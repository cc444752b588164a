"""Real PostgreSQL and Redis servers, started by the tests on private ports.

Each process of the test run has its own servers in its own folder. Where a server is not
installed the test is skipped, but fails with `CI=true`: nothing may pass there unseen.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

_ROOM = 4 << 30  #: bytes
_PATIENCE = 120.0
_ports = itertools.chain(range(20_000 + os.getpid() % 12_000, 32_000), range(20_000, 32_000))
#: A server ends with the test run, even where that is killed.
_WITH_US = ("setpriv", "--pdeathsig=INT")


def missing(what: str) -> None:
    message = f"{what} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """Return a TCP port on loopback that nobody uses or will be given while this process lives.

    The kernel gives out ports of a range of its own, for connections too, so one from there that
    is free now may be somebody's when a server is started on it, or started again.
    """
    for port in _ports:
        reservation = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError), socket.socket() as probe:
            reservation.bind(f"\0scanstrasse-tests-{port}")  # other processes of the run ask too
            probe.bind(("127.0.0.1", port))
            reservation.detach()  # it lasts as long as this process
            return port
        reservation.close()
    message = "no port is free"
    raise RuntimeError(message)


def _newest_postgres() -> Path | None:
    """Return the folder of the newest packaged server; others on the path may be stand-ins."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    other = shutil.which("postgres")
    return Path(other).parent if other else None


class PostgresServer:
    """A PostgreSQL server in a folder of its own, with fsync on.

    Attributes:
        port: On 127.0.0.1; the same after a restart.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        """Create the cluster; `start` runs it."""
        self.port = free_port()
        self._binaries = binaries
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user = list(_WITH_US)
        if os.geteuid() == 0:  # the server refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._as_user += ["--reuid=postgres", "--regid=postgres", "--init-groups"]
        command = [str(binaries / "initdb"), "-D", str(folder / "db"), "-U", "test", "-A", "trust"]
        subprocess.run(
            [*self._as_user, *command, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
        )

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://test@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._folder),
            "max_connections": "200",
            "shared_buffers": "64MB",
            "logging_collector": "off",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, self._binaries / "postgres", "-D", self._folder / "db", *settings],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text(errors="replace"))
            time.sleep(0.05)

    def stop(self, *, immediately: bool = False) -> None:
        """Stop the server, as for maintenance or as in a power cut."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if immediately else signal.SIGINT)
        self._process.wait(_PATIENCE)
        self._process = None

    def restart(self, *, immediately: bool = False) -> None:
        """Stop and start again on the same port."""
        self.stop(immediately=immediately)
        self.start()

    def create_database(self, like: str | None = None) -> str:
        """Create a database and return its URL.

        Args:
            like: URL of one to copy, to which nobody is connected; without it it is empty.
        """
        name = f"test_{uuid.uuid4().hex}"
        command = f"CREATE DATABASE {name}"
        if like is not None:
            command += f" TEMPLATE {like.rsplit('/', 1)[1]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(command.encode())
        return self.url(name)

    def blocked(self, url: str) -> bool:
        """Tell whether somebody in a database waits for a lock."""
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        )
        with psycopg.connect(self.url()) as connection:
            row = connection.execute(query, [url.rsplit("/", 1)[1]]).fetchone()
        return row is not None and row[0] > 0

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, whoever is connected."""
        name = url.rsplit("/", 1)[1]
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


class RedisServer:
    """A Redis server without persistence: what it holds may vanish at any moment."""

    def __init__(self, binary: str, folder: Path) -> None:
        """Choose a port; `start` runs the server."""
        self.port = free_port()
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _client(self) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.port)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._process = subprocess.Popen(
            [*_WITH_US, self._binary, *options, str(self._folder)], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(redis.ConnectionError), self._client() as client:
                client.ping()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                message = "redis-server does not start"
                raise RuntimeError(message)
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill the server."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_PATIENCE)
            self._process = None

    def flush(self) -> None:
        """Forget everything."""
        with self._client() as client:
            client.flushall()


def roomy_memory() -> str | None:
    """Return a folder in memory: the gigabytes that tests write would slow every sync."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return None
    return str(memory) if shutil.disk_usage(memory).free > _ROOM else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL server; whoever stops it starts it again."""
    binaries = _newest_postgres()
    if binaries is None:
        missing("PostgreSQL")
        return
    # not below pytest's folder: the server's own user has to reach it
    with tempfile.TemporaryDirectory(
        prefix="pg-", dir=roomy_memory(), ignore_cleanup_errors=True
    ) as folder:
        server = PostgresServer(binaries, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop(immediately=True)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """One database for the whole run."""
    return postgres_server.create_database()


@pytest.fixture
def fresh_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database for one test."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A running Redis server; whoever stops it starts it again."""
    binary = shutil.which("redis-server")
    if binary is None:
        missing("redis-server")
        return
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(binary, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: RedisServer) -> str:
    """URL of the running Redis server."""
    return redis_server.url
