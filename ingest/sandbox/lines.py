"""A child process that is heard line by line, and stopped in steps.

Whoever listens waits no longer than it says for the next line. The child is asked to stop, asked
again, and killed with all it started.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Final

from ingest.sandbox.lent import Lent

_STDERR_TAIL: Final = 2000
_LONGEST_LINE: Final = 4 * 1024**2
_POLITE_SECONDS: Final = 2.0
_PIECE_SECONDS: Final = 0.5  #: on Windows, Ctrl-C does not end a wait
#: Windows interrupts no other process, it only ends it.
_INTERRUPTS: Final = os.name != "nt"
#: On Windows Ctrl-C would reach the child too, besides being told to stop by its parent.
_APART: Final = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
#: Variables that are none of a driver's business; it needs most others, and names differ.
_KEPT_BACK: Final = re.compile(
    r"(SCANSTRASSE|AWS|PG|REDIS)\w*|\w*(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL)\w*"
)


class Silent(Exception):
    """The child said nothing for the time that was allowed; it lives on."""


class Ended(Exception):
    """The child is gone, and everything it said has been heard.

    Attributes:
        status: With which it left, None if it was killed.
        signal: By which it died, None if it left by itself.
        tail: The end of what it wrote to its standard error.
    """

    def __init__(self, status: int | None, tail: str) -> None:
        """Take the exit status as `subprocess` gives it: negative for a signal."""
        self.signal = -status if status is not None and status < 0 else None
        self.status = None if self.signal else status
        self.tail = tail
        how = f"signal {self.signal}" if self.signal else f"status {status}"
        super().__init__(f"child ended with {how}: {tail}")


class Lines(Lent):
    """One child, started at once."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        stop: bytes | None = None,
    ) -> None:
        """Start it with these additions to the environment.

        Args:
            command: Its program and arguments.
            environment: Additions to ours.
            stop: What it hears as an interruption on a system that interrupts no process; without
                it, such a system ends it at once.

        Raises:
            OSError: The program cannot be started.
        """
        self._stderr: IO[bytes] = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115 - see `close`
        self._process = subprocess.Popen(  # noqa: S603 - programs named in the code, no shell
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**_passed(), **(environment or {})},
            start_new_session=os.name != "nt",
            creationflags=_APART,
        )
        self._stop = stop
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def line(self, seconds: float) -> bytes:
        """Return the next line of its standard output.

        Raises:
            Silent: There was none within so many seconds.
            Ended: The child is gone.
        """
        line = self._heard(seconds)
        if line is None:
            self._lines.put(None)  # whoever asks again hears the same
            raise self._ended()
        return line

    def _heard(self, seconds: float) -> bytes | None:
        limit = time.monotonic() + seconds
        while True:
            left = limit - time.monotonic()
            try:
                return self._lines.get(timeout=max(0.0, min(left, _PIECE_SECONDS)))
            except queue.Empty:
                if left > _PIECE_SECONDS:
                    continue
                message = f"no word for {seconds:g} s"
                raise Silent(message) from None

    def tail(self) -> str:
        """Return the end of what it wrote to its standard error so far."""
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")[-_STDERR_TAIL:].strip()

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

    def _interrupt(self) -> None:
        with contextlib.suppress(ProcessLookupError, OSError):
            if _INTERRUPTS:
                self._process.send_signal(signal.SIGINT)
            elif self._stop is None or self._process.stdin is None:
                self._process.terminate()
            else:
                self._process.stdin.write(self._stop)
                self._process.stdin.flush()

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
        return Ended(self._process.poll(), self.tail())


def _passed() -> dict[str, str]:
    """Return the environment without what opens databases, brokers and stores."""
    return {name: value for name, value in os.environ.items() if not _KEPT_BACK.fullmatch(name)}
