"""Debian's real SANE backends `test` and `pnm`, and its `saned`, configured for one test.

Nothing of this machine's own scanners is seen: SANE reads the folder that is written here.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

from scanners.sane import SaneDriver
from tests.plugins.servers import missing

_PORT = 6566  # the client of SANE knows no other; so each server has an address of its own
_PATIENCE = 240.0
_DEFAULTS = {
    "number_of_devices": "1",
    "mode": "Gray",
    "depth": "8",
    "geometry_min": "0.0",
    "geometry_max": "300.0",
    "geometry_quant": "1.0",
    "test-picture": '"Grid"',
}


def require_sane() -> None:
    """Skip, or fail with `CI=true`, where SANE is not installed."""
    try:
        ctypes.CDLL("libsane.so.1")
    except OSError:
        missing("libsane.so.1")
    if shutil.which("scanimage") is None:
        missing("scanimage")


def configured(folder: Path, **test: str) -> dict[str, str]:
    """Write the configuration with these values of the `test` backend.

    Returns:
        What the environment needs to have it used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dll.conf").write_text("test\npnm\n")
    values = {**_DEFAULTS, **{name.replace("_", "-"): value for name, value in test.items()}}
    for name in ("number", "geometry"):  # their names have underscores
        values = {
            key.replace("-", "_") if key.startswith(name) else key: value
            for key, value in values.items()
        }
    (folder / "test.conf").write_text("".join(f"{name} {values[name]}\n" for name in values))
    return {"SANE_CONFIG_DIR": str(folder)}


def driver(folder: Path, **test: str) -> SaneDriver:
    """Return the driver over the `test` and `pnm` backends."""
    return SaneDriver(environment=configured(folder, **test))


class Saned:
    """A `saned` that offers the `test` backend to this machine.

    Attributes:
        device: Name of the device, as its clients say it.
        environment: Of its clients.
    """

    def __init__(self, program: str, folder: Path, **test: str) -> None:
        """Start it and wait until it listens."""
        random = SystemRandom()
        address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        self.device = f"net:{address}:test:0"
        server = configured(folder / "saned", **test)
        (folder / "saned" / "saned.conf").write_text(f"{address}\n127.0.0.1\n")
        client = folder / "client"
        client.mkdir()
        (client / "dll.conf").write_text("net\n")
        (client / "net.conf").write_text(f"connect_timeout = 120\n{address}\n")
        self.environment = {"SANE_CONFIG_DIR": str(client)}
        with (folder / "saned.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-l", "-e", "-b", address, "-p", str(_PORT)],
                env={**os.environ, **server},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(address)

    def _wait(self, address: str) -> None:
        wanted = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
        listening = f" {wanted}:{_PORT:04X} 00000000:0000 0A "
        deadline = time.monotonic() + _PATIENCE
        while listening not in Path("/proc/net/tcp").read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                message = "saned does not listen"
                raise RuntimeError(message)
            time.sleep(0.01)

    def serving(self) -> list[int]:
        """Return the processes that serve a client each."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self) -> None:
        """Kill it and all it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_PATIENCE)


@contextmanager
def saned(folder: Path, **test: str) -> Iterator[Saned]:
    """Serve the `test` backend on an address of loopback for as long as the block lasts."""
    program = shutil.which("saned", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        missing("saned")
        return
    server = Saned(program, folder, **test)
    try:
        yield server
    finally:
        server.stop()
