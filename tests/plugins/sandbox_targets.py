"""Targets that misbehave in a child process, for the sandbox's tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.errors import PasswordNeeded


def prepare(setup: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a target that does what the request names."""

    def serve(request: dict[str, Any]) -> dict[str, Any]:
        return _ACTS[request["act"]](request) | {"setup": setup, "pid": os.getpid()}

    return serve


def _crash(_: dict[str, Any]) -> dict[str, Any]:
    os.abort()


def _hang(request: dict[str, Any]) -> dict[str, Any]:
    if "pid_file" in request:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(request["pid_file"]).write_text(str(child.pid), "ascii")
    time.sleep(600)
    return {}


def _grow(_: dict[str, Any]) -> dict[str, Any]:
    held = []
    while True:
        held.append(bytearray(64 * 1024**2))


def _print(_: dict[str, Any]) -> dict[str, Any]:
    print("noise on stdout")  # noqa: T201 - noise is what is tested
    os.write(1, b"more noise\n")
    return {"printed": True}


def _clerk(_: dict[str, Any]) -> dict[str, Any]:
    message = "needs a password"
    raise PasswordNeeded(message, operator_text="Kennwort nötig", code="password_wrong")


def _bug(_: dict[str, Any]) -> dict[str, Any]:
    return {"never": 1 // 0}


def _environment(_: dict[str, Any]) -> dict[str, Any]:
    return {"names": sorted(os.environ)}


_ACTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "crash": _crash,
    "hang": _hang,
    "grow": _grow,
    "print": _print,
    "clerk": _clerk,
    "bug": _bug,
    "environment": _environment,
    "echo": lambda request: {"echo": request.get("text")},
}
