"""The real child of TWAIN over a simulated source: `python -m tests.plugins.twain_child`.

`TWAIN_SHEETS` is how many sheets lie in its feeder.
"""

from __future__ import annotations

import os
from typing import Any

from scanners.device.telling import converse
from scanners.twain import abi, child
from tests.plugins.twain_source import TwainSource


def main() -> None:
    """Serve with the simulated source in place of the manager of this machine."""
    source = TwainSource(sheets=int(os.environ["TWAIN_SHEETS"]))
    source.values[abi.CAP_FEEDERLOADED] = int(source.sheets > 0)

    def load(path: Any) -> Any:
        return source.entry

    child.load = load  # type: ignore[attr-defined, assignment]  # this process has no other
    converse(child.serve)


if __name__ == "__main__":
    main()
