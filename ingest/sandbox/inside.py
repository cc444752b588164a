"""The child's side: set the limits, load the target, serve calls until the pipe closes."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from typing import IO, Any, Final

from ingest.errors import ScanstrasseError

_LENGTH: Final = struct.Struct(">I")
_PR_SET_PDEATHSIG: Final = 1
_LARGEST_FILE: Final = 8 * 1024**3  #: bytes; one file cannot fill the disk


def main() -> None:
    """Serve calls. Standard output is kept for answers; what libraries print goes to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.dup2(2, 1)
    setup = _receive(requests)
    if setup is None:
        return
    _limit(int(setup["memory_bytes"]), int(setup["parent"]))
    serve = _guarded(_load, setup, answers)
    if serve is None:
        return
    while (request := _receive(requests)) is not None:
        _guarded(serve, request, answers)


def _guarded(function: Callable[[Any], Any], argument: Any, answers: IO[bytes]) -> Any:
    """Call and answer. Whatever goes wrong becomes an answer, so that the parent can sort it."""
    try:
        result = function(argument)
    except ScanstrasseError as error:
        answer: dict[str, Any] = {
            "error": {
                "kind": type(error).code,
                "code": error.code,
                "message": str(error),
                "operator_text": error.operator_text,
            }
        }
    except MemoryError:
        answer = {
            "error": {
                "kind": "tool_failed",
                "code": "memory_exhausted",
                "message": "memory limit reached",
                "operator_text": "Speichergrenze eines Verarbeitungsprozesses erreicht.",
            }
        }
    except Exception:  # noqa: BLE001 - reported to the parent, where the pipeline decides
        answer = {"bug": traceback.format_exc()}
    else:
        _send(answers, {"result": result if isinstance(result, dict) else {}})
        return result
    _send(answers, answer)
    return None


def _load(setup: dict[str, Any]) -> Callable[[Any], Any]:
    module, _, name = str(setup["target"]).partition(":")
    prepare = getattr(importlib.import_module(module), name)
    serve: Callable[[Any], Any] = prepare(setup["setup"])
    return serve


def _limit(memory_bytes: int, parent: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, _LARGEST_FILE))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def _receive(pipe: IO[bytes]) -> dict[str, Any] | None:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = pipe.read(length)
    if len(body) < length:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def _send(pipe: IO[bytes], message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


if __name__ == "__main__":
    main()
