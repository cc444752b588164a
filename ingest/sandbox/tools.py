"""Questions to external programs: is it there, and which version."""

from __future__ import annotations

import shutil
import subprocess


def tool_version(program: str, *arguments: str) -> str | None:
    """Return the first line that `program` prints, or None when it cannot be run.

    The time limit of ten seconds makes a hanging tool look like a missing one, which is
    what it is to us.
    """
    path = shutil.which(program)
    if path is None:
        return None
    try:
        finished = subprocess.run(  # noqa: S603 - fixed program names, no shell
            [path, *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (finished.stdout or finished.stderr).splitlines()
    return lines[0].strip() if lines else program
