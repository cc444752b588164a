"""Commands of `scanstrasse` given in the test's own process: a start takes a second of a core.

They go through the same outermost seam as the console script: arguments, exit codes, what is
printed where. What a process of its own adds to that (signals, workers that outlive a command,
processes that start at once) is for `Installation.command` and `Installation.start`.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from ingest.cli import main


def commanded(words: Sequence[str], *, entered: str = "") -> subprocess.CompletedProcess[str]:
    """Give a command and return its exit code and what it printed.

    Args:
        words: As they would follow `scanstrasse`.
        entered: What comes in through standard input.
    """
    printed, said = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["scanstrasse", *words]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(entered.encode()), "utf-8")),
        mock.patch.dict(os.environ, clean_environment(), clear=True),
        redirect_stdout(printed),
        redirect_stderr(said),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int), code
    return subprocess.CompletedProcess(list(words), code, _text(printed), _text(said))


def clean_environment() -> dict[str, str]:
    """Return the environment without what configures an installation."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SCANSTRASSE_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
