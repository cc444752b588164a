"""Passwords on the command line: asked for without echo, and gone from the process list.

What is typed as `--set password=…` stands in the argument list of the process, which
everybody on the machine may read while it runs, and in the shell's history. The first can be
mended here, the second cannot; therefore `--set password=-` is the way to recommend.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

KEY: Final = "password"
ASKED: Final = "-"
#: Places of `arg_start` and `arg_end` behind the name in /proc/self/stat, see proc(5).
_ARGUMENTS: Final = slice(45, 47)
_LONGEST: Final = 1024


def entered(value: str) -> str:
    """Return the password that `value` stands for: itself, or what is typed without echo.

    Where standard input is no terminal, its first line is the password.

    Raises:
        BadParameter: Nothing was entered, or far too much.
    """
    password = value
    if value == ASKED:
        if sys.stdin.isatty():
            password = click.prompt("Kennwort", hide_input=True, err=True)
        else:
            password = sys.stdin.readline(_LONGEST + 2).rstrip("\r\n")
    else:
        hide(value)
    if not password or len(password) > _LONGEST:
        message = "Es ist kein Kennwort angegeben, oder es ist länger, als ein Kennwort sein kann."
        raise click.BadParameter(message)
    return password


def hide(secret: str) -> None:
    """Overwrite `secret` in this process's own argument list, where the system lets us."""
    pattern = f"{KEY}={secret}".encode(errors="surrogateescape")
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        begin, end = (int(field) for field in fields[_ARGUMENTS])
        content = Path("/proc/self/cmdline").read_bytes()
        if not 0 < begin < end or len(content) != end - begin:
            return
        at = content.find(pattern)
        while at >= 0:
            first = at + len(pattern) - len(os.fsencode(secret))
            ctypes.memset(begin + first, ord("*"), at + len(pattern) - first)
            at = content.find(pattern, at + len(pattern))
