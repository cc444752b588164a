"""OCRmyPDF on one page: its text, and the CPU seconds of it and all its children."""

from __future__ import annotations

import resource
import subprocess  # noqa: TID251 - a bench starts the peer from outside
import sys
from pathlib import Path


def ocrmypdf(
    image: Path, folder: Path, languages: str, dpi: float, *options: str
) -> tuple[str, float]:
    """Run the peer as its users do and return text and CPU seconds; the PDF stays in `folder`.

    Args:
        image: A page.
        folder: Where the results go.
        languages: Names of Tesseract's models, joined with `+`.
        dpi: Told to the peer, which refuses images that do not say it.
        options: More of the peer's.
    """
    sidecar, target = folder / "peer.txt", folder / "peer.pdf"
    sidecar.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [
            *(sys.executable, "-m", "ocrmypdf", "-q", "-l", languages, "--output-type", "pdfa"),
            *("--image-dpi", str(round(dpi)), "--sidecar", str(sidecar), *options),
            *(str(image), str(target)),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return sidecar.read_text("utf-8"), spent
