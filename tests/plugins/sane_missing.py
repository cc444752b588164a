"""The child of SANE on a machine without libsane: `python -m tests.plugins.sane_missing`."""

from __future__ import annotations

from scanners.device.telling import converse
from scanners.sane import child, library

if __name__ == "__main__":
    library._SONAMES = ("libsane.so.none",) * 3  # type: ignore[misc]  # final but for this process
    converse(child.serve)
