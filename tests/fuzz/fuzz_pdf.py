"""Fuzz the door for PDFs: `python -m tests.fuzz.fuzz_pdf --seconds 600`."""

from __future__ import annotations

import sys

from tests.fuzz.driver import main

if __name__ == "__main__":
    sys.exit(main("pdf"))
