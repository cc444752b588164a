"""Fuzz the door for images: `python -m tests.fuzz.fuzz_image --seconds 600`."""

from __future__ import annotations

import sys

from tests.fuzz.driver import main

if __name__ == "__main__":
    sys.exit(main("image"))
