"""A child process that tells what happens, line by line, for as long as it works.

Drivers of devices run in one: a crash, a hang or a leak is the end of the child, never of the
service. Both sides speak JSON, one object a line. Whoever reads waits no longer than it says for
the next line, and stops the child in steps: asked, asked again, killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Final, Self

from ingest.document import Facts

_STDERR_TAIL: Final = 2000
_LONGEST_LINE: Final = 4 * 1024**2
_POLITE_SECONDS: Final = 2.0
#: Variables that are none of a driver's business; it needs most others, and names differ.
_KEPT_BACK: Final = re.compile(
    r"(SCANSTRASSE|AWS|PG|REDIS)\w*|\w*(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL)\w*"
)


class Stalled(Exception):
    """The child said nothing for the time that was allowed; it has been killed."""


class Ended(Exception):
    """The child is gone without having said that it ended.

    Attributes:
        signal: By which it died, None if it left by itself.
        tail: The end of what it wrote to its standard error.
    """

    def __init__(self, status: int | None, tail: str) -> None:
        """Take the exit status as `subprocess` gives it: negative for a signal."""
        self.signal = -status if status is not None and status < 0 else None
        self.tail = tail
        how = f"signal {self.signal}" if self.signal else f"status {status}"
        super().__init__(f"child ended with {how}: {tail}")


class Stream:
    """One child, started at once, that is told and tells by lines of JSON."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `python -m module` with these arguments and additions to the environment."""
        self._stderr: IO[bytes] = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115 - see `close`
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter, a module named here
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**_passed(), **(environment or {}), "PYTHONUNBUFFERED": "1"},
            start_new_session=os.name != "nt",
        )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def tell(self, message: Facts) -> None:
        """Send one object; a child that is gone is noticed with the next `next`."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.write(json.dumps(message).encode() + b"\n")
                stdin.flush()

    def next(self, seconds: float) -> Facts:
        """Return what the child says next.

        Raises:
            Stalled: It said nothing for `seconds`; it has been killed.
            Ended: It is gone.
        """
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.kill()
            message = f"no word for {seconds:g} s"
            raise Stalled(message) from None
        if line is None:
            raise self._ended()
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            self.kill()
            raise self._ended()
        return said

    def stop(self) -> None:
        """End the child in steps: interrupted, interrupted again, killed; any thread may ask."""
        for _ in range(2):
            if self._process.poll() is not None:
                return
            self._interrupt()
            if self._gone_within(_POLITE_SECONDS):
                return
        self.kill()

    def kill(self) -> None:
        """Kill the child and all it started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "nt":
                    self._process.kill()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self, seconds: float = 0.0) -> None:
        """Tell no more, kill what still lives after so many seconds, and close the pipes."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._gone_within(seconds)
        self.kill()
        if self._process.stdout is not None:
            with contextlib.suppress(OSError):
                self._process.stdout.close()
        self._reader.join(timeout=_POLITE_SECONDS)
        self._stderr.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _interrupt(self) -> None:
        with contextlib.suppress(ProcessLookupError, OSError):
            if os.name == "nt":
                self._process.terminate()
            else:
                self._process.send_signal(signal.SIGINT)

    def _gone_within(self, seconds: float) -> bool:
        limit = time.monotonic() + seconds
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=max(0.0, limit - time.monotonic()))
        return self._process.poll() is not None

    def _read(self) -> None:
        pipe = self._process.stdout
        if pipe is not None:
            with contextlib.suppress(OSError, ValueError):
                while line := pipe.readline(_LONGEST_LINE):
                    self._lines.put(line)
        self._lines.put(None)

    def _ended(self) -> Ended:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_POLITE_SECONDS)
        self._stderr.seek(0)
        tail = self._stderr.read().decode("utf-8", "replace")[-_STDERR_TAIL:].strip()
        return Ended(self._process.poll(), tail)


def _passed() -> dict[str, str]:
    """Return the environment without what opens databases, brokers and stores."""
    return {name: value for name, value in os.environ.items() if not _KEPT_BACK.fullmatch(name)}
