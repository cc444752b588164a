"""`python -m console.samples FOLDER`: write the sample post there."""

from __future__ import annotations

import sys
from pathlib import Path

from console.samples import write_samples


def main(arguments: list[str]) -> int:
    """Write the samples and say where; exit code 2 without a folder."""
    if len(arguments) != 1:
        sys.stderr.write("Aufruf: python -m console.samples ORDNER\n")
        return 2
    for path in write_samples(Path(arguments[0])):
        sys.stderr.write(f"Musterpost: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
