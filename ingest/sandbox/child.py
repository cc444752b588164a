"""The parent's side: start a child, ask it, and kill it when it overstays.

Requests and answers are JSON with a four-byte length in front. JSON rather than pickle,
because a child that a hostile file has taken over must not be able to run code here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ingest.document import Facts
from ingest.errors import ScanstrasseError, ToolFailed, ToolTimedOut, from_code

_LENGTH: Final = struct.Struct(">I")
_LARGEST_ANSWER: Final = 16 * 1024**2  #: bytes; a batch of 20,000 pages is below
_TICK_SECONDS: Final = 1.0
_START_SECONDS: Final = 60.0
#: Variables that a child may see; passwords of database and broker are not among them.
_PASSED: Final = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|TESSDATA_PREFIX|OPENBLAS_\w+|PYTHON\w*|VIRTUAL_ENV"
    r"|LD_LIBRARY_PATH|FONTCONFIG_\w+|XDG_\w+|SSL_CERT_\w+|AWS_\w+"
)
_STDERR_TAIL: Final = 2000  #: characters of a dead child's stderr that go into the log


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child may use.

    Attributes:
        memory_bytes: Address space (RLIMIT_AS) of the child and of each process it starts.
        resident_bytes: Above this the child is replaced between two calls.
        calls: After this many calls the child is replaced, so that leaks stay small.
    """

    memory_bytes: int
    resident_bytes: int = 700 * 1024**2
    calls: int = 500


class Child:
    """One warm child process around a target `module:function`.

    The function is called once with the set-up object and returns the callable that serves
    the calls. Not safe for use from two threads at once.
    """

    def __init__(self, target: str, setup: Facts, limits: Limits) -> None:
        """Describe the child; it starts with the first call."""
        self._target = target
        self._setup = setup
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._calls = 0

    @property
    def pid(self) -> int | None:
        """Process id of the living child, None before the first call."""
        return None if self._process is None else self._process.pid

    def call(self, request: Facts, seconds: float, tick: Callable[[], bool]) -> Facts:
        """Send `request` and return the answer.

        Args:
            request: JSON object.
            seconds: Time limit; afterwards the child and all it started are killed.
            tick: Called about once a second; when it returns False the work is no longer
                wanted and the child is killed.

        Raises:
            ToolTimedOut: The limit was reached, or `tick` said no.
            ToolFailed: The child died (crash, memory) or answered nonsense.
            ScanstrasseError: What the target raised, rebuilt from its code.
        """
        self._ready(tick)
        process = self._process
        if process is None or process.stdin is None:
            message = "no child process"
            raise ToolFailed(message)
        try:
            _send(process.stdin, request)
        except OSError as error:
            raise self._died() from error
        self._calls += 1
        return _unwrap(self._answer(seconds, tick))

    def close(self) -> None:
        """Kill the child and whatever it started."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            process.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def _ready(self, tick: Callable[[], bool]) -> None:
        if self._process is not None and self._worn_out():
            self.close()
        if self._process is None:
            self._start(tick)
        elif self._stderr is not None:
            self._stderr.truncate(0)

    def _worn_out(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            return True
        return self._calls >= self._limits.calls or (
            resident_bytes(process.pid) > self._limits.resident_bytes
        )

    def _start(self, tick: Callable[[], bool]) -> None:
        self._stderr = tempfile.TemporaryFile(mode="a+b")  # noqa: SIM115 - closed with the child
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ingest.sandbox.inside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_environment(),
            start_new_session=True,
        )
        self._calls = 0
        if self._process.stdin is None:
            raise self._died()
        setup = {
            "target": self._target,
            "setup": self._setup,
            "memory_bytes": self._limits.memory_bytes,
            "parent": os.getpid(),
        }
        try:
            _send(self._process.stdin, setup)
        except OSError as error:
            raise self._died() from error
        _unwrap(self._answer(_START_SECONDS, tick))

    def _answer(self, seconds: float, tick: Callable[[], bool]) -> Facts:
        process = self._process
        if process is None or process.stdout is None:
            raise self._died()
        limit = time.monotonic() + seconds
        ticked = time.monotonic()
        received = bytearray()
        descriptor = process.stdout.fileno()
        while True:
            if _complete(received):
                return _decode(received)
            left = limit - time.monotonic()
            if left <= 0:
                raise self._overdue(seconds)
            readable, _, _ = select.select([descriptor], [], [], min(left, _TICK_SECONDS))
            if readable:
                chunk = os.read(descriptor, 1 << 20)
                if not chunk or len(received) > _LARGEST_ANSWER:
                    raise self._died()
                received += chunk
            if time.monotonic() - ticked >= _TICK_SECONDS:
                ticked = time.monotonic()  # also while an answer trickles in
                self._go_on(tick)

    def _go_on(self, tick: Callable[[], bool]) -> None:
        if not tick():
            self.close()
            message = "the claim was lost or work was stopped"
            raise ToolTimedOut(message, code="work_stopped")

    def _overdue(self, seconds: float) -> ToolTimedOut:
        self.close()
        text = f"Zeitgrenze von {seconds:.0f} s überschritten."
        return ToolTimedOut(f"no answer within {seconds:.0f} s", operator_text=text)

    def _died(self) -> ToolFailed:
        status, tail = None, ""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self._process.wait(timeout=5)
        if self._stderr is not None:
            self._stderr.seek(0)
            tail = self._stderr.read().decode("utf-8", "replace")[-_STDERR_TAIL:]
        self.close()
        how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
        return ToolFailed(
            f"child process ended with {how}: {tail.strip()}",
            operator_text=f"Ein Verarbeitungsprozess ist abgestürzt ({how}).",
        )


def resident_bytes(pid: int) -> int:
    """Return the resident size of a process, 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _environment() -> dict[str, str]:
    """Return the child's environment: what tools need, no secrets, one thread per library."""
    kept = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
    return kept | {
        "OMP_THREAD_LIMIT": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENCV_FOR_THREADS_NUM": "1",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
    }


def _send(pipe: IO[bytes], message: Facts) -> None:
    body = json.dumps(message).encode()
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def _complete(received: bytearray) -> bool:
    if len(received) < _LENGTH.size:
        return False
    (length,) = _LENGTH.unpack_from(received)
    return len(received) >= _LENGTH.size + int(length)


def _decode(received: bytearray) -> Facts:
    try:
        answer = json.loads(bytes(received[_LENGTH.size :]))
    except ValueError as error:
        message = "child answered no JSON"
        raise ToolFailed(message) from error
    if not isinstance(answer, dict):
        message = "child answered no JSON object"
        raise ToolFailed(message)
    return answer


def _unwrap(answer: Facts) -> Facts:
    if "error" in answer:
        error = answer["error"]
        rebuilt = from_code(str(error["kind"]), str(error["message"]), str(error["operator_text"]))
        rebuilt.code = str(error["code"])
        raise rebuilt
    if "bug" in answer:
        message = str(answer["bug"])
        last = message.strip().splitlines()[-1].partition(":")[0]
        raise StepBug(message, operator_text=f"Unerwarteter Programmfehler ({last}); bitte melden.")
    result = answer.get("result", {})
    if not isinstance(result, dict):
        message = "child answered no result object"
        raise ToolFailed(message)
    return result


class StepBug(ScanstrasseError):
    """The target raised something nobody planned; the message is its traceback."""

    code = "bug"
