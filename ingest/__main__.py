"""`python -m ingest` is the same program as the console script `scanstrasse`."""

from __future__ import annotations

from ingest.cli import main

if __name__ == "__main__":
    main()
