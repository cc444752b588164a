"""A native program that is heard line by line while it works."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from ingest.sandbox.lines import Ended, Lines, Silent


class Program(Lines):
    """One run of a program, started at once; its messages are not translated."""

    def __init__(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start `program`, looked for on the path, with additions to the environment.

        Raises:
            OSError: It is not there, or cannot be started.
        """
        path = shutil.which(program)
        if path is None:
            message = f"{program} is not installed"
            raise FileNotFoundError(message)
        super().__init__([path, *arguments], {**(environment or {}), "LC_ALL": "C"})

    def to_end(self, seconds: float) -> tuple[list[str], Ended]:
        """Return all lines of its output and how it ended; each line may take so many seconds.

        Raises:
            Silent: It said nothing for so long; it has been killed.
        """
        lines = []
        while True:
            try:
                lines.append(self.line(seconds).decode("utf-8", "replace").rstrip("\n"))
            except Silent:
                self.kill()
                raise
            except Ended as ended:
                return lines, ended
