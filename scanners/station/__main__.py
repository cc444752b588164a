"""`python -m scanners.station`."""

from __future__ import annotations

import sys

from scanners.station.commands import main

if __name__ == "__main__":
    sys.exit(main())
