"""A desktop's litter, told by name and content: a letter may be called `Thumbs.db` as well.

Only what is surely litter is passed over in silence; everything else is taken or listed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LARGEST: Final = 2 * 1024 * 1024
_COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BEGINNINGS: Final = {
    "thumbs.db": (_COMPOUND,),
    "desktop.ini": (
        b"[",
        b"\r\n[",
        b"\xef\xbb\xbf[",
        b"\xff\xfe[\x00",
        b"\xff\xfe\r\x00\n\x00[\x00",
    ),
    ".ds_store": (b"\x00\x00\x00\x01Bud1",),
}
#: Names inside a compound file that make it a message or an office document.
_DOCUMENTS: Final = tuple(
    name.encode("utf-16-le")
    for name in ("__properties_version1.0", "WordDocument", "Workbook", "PowerPoint Document")
)


def is_litter(path: Path, size: int) -> bool:
    """Tell whether a desktop put the regular file `path` here, so that nobody misses it.

    A file that cannot be read is not: whoever reads it later says why.
    """
    beginnings = _BEGINNINGS.get(path.name.casefold())
    if beginnings is None or size > _LARGEST:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:  # noqa: PTH123 - a path would follow links
            content = stream.read(_LARGEST + 1)
    except OSError:
        return False
    if not content.startswith(beginnings):
        return False
    return not any(name in content for name in _DOCUMENTS)
