"""Limited child processes for native code; the only home of `subprocess`.

Tesseract, Leptonica, pdfium, qpdf and Ghostscript read bytes that strangers wrote. They run
in warm children with a limit on address space, in a session of their own, without core
dumps, bound to die with their parent. A crash, a hang or a memory blow-up costs one attempt
of one unit: the child is killed with everything it started, and the next call gets a new one.
"""

from __future__ import annotations

from ingest.sandbox.child import Child, Limits
from ingest.sandbox.lent import Lent
from ingest.sandbox.lines import Ended, Silent
from ingest.sandbox.program import Program
from ingest.sandbox.stream import Stalled, Stream
from ingest.sandbox.tools import tool_version

__all__ = [
    "Child",
    "Ended",
    "Lent",
    "Limits",
    "Program",
    "Silent",
    "Stalled",
    "Stream",
    "tool_version",
]
