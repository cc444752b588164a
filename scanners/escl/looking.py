"""Foreign bytes are decoded in a process of their own: `python -m scanners.escl.looking`.

A device sends what it likes, and decoders are native code. What brings one down is a page that
does not count, never the end of the scan's own process.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from ingest.sandbox import Ended, Stalled, Stream
from scanners.escl.wholeness import size_of

#: The largest page takes three of them on a slow machine.
_SECONDS: Final = 60.0


class Looking:
    """Looks at pages, through one child for as long as that lives."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        """Start the child at once; a page may take so many seconds."""
        self._seconds = seconds
        self._child: Stream | None = Stream(__name__)

    def size_of(self, path: Path, media_type: str) -> tuple[int, int]:
        """Decode a page to its end and return width and height.

        Raises:
            ValueError: The page is cut off, is more than one page, or brought the decoder down.
        """
        if self._child is None:
            self._child = Stream(__name__)
        self._child.tell({"path": str(path), "media_type": media_type})
        try:
            said = self._child.next(self._seconds)
        except (Stalled, Ended) as error:
            self.close()
            message = f"the page brought the decoder down: {error}"
            raise ValueError(message) from error
        if said["broken"] is not None:
            raise ValueError(str(said["broken"]))
        return int(said["size"][0]), int(said["size"][1])

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


def main() -> None:
    """Look at one page a line until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # decoders print where they like
    for line in sys.stdin:
        asked = json.loads(line)
        said: dict[str, Any] = {"size": None, "broken": None}
        try:
            said["size"] = size_of(Path(asked["path"]), str(asked["media_type"]))
        except (ValueError, OSError) as error:
            said["broken"] = str(error)
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
