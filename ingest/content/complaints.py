"""What a native decoder says on standard error and to nobody else.

libtiff goes on after a broken fax code: it prints a line, fills the row with something and calls
the page decoded. That line is the only trace of the damage, so it is caught on its way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STDERR: Final = 2
#: A pipe holds this much; more is not written and not needed.
_MOST_BYTES: Final = 65536
#: `Fax4Decode: Bad code word at line 178 of strip 0 (x 0).`
_COMPLAINT: Final = re.compile(r"^\w+: .+\.$", re.MULTILINE)


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Collect the complaints written to standard error inside the block; they fill the list after.

    Everything caught is passed on to where it was meant to go. The descriptor is the process's:
    to be used only where one thread decodes, as in the children.
    """
    complaints: list[str] = []
    saved = os.dup(_STDERR)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # a hostile file's thousandth complaint must not block
    os.dup2(writing, _STDERR)
    os.close(writing)
    try:
        yield complaints
    finally:
        os.dup2(saved, _STDERR)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read(_MOST_BYTES)
        if said:
            os.write(saved, said)
        os.close(saved)
        complaints += _COMPLAINT.findall(said.decode("utf-8", "replace"))
