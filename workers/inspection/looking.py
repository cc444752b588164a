"""Which look a file gets, by its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ingest.content import kind_of
from ingest.document import Source, SourceKind
from workers.inspection.files import Inspected, image, opaque, tiff_pages
from workers.inspection.pdf import pdf_pages

_LOOK: Final[MappingProxyType[SourceKind, Callable[[Source, Path, int], Inspected]]] = (
    MappingProxyType(
        {
            **{kind: image for kind in SourceKind if kind.is_image},
            SourceKind.TIFF: tiff_pages,
            SourceKind.PDF: pdf_pages,
        }
    )
)


def look(source: Source, path: Path, limit: int) -> Inspected:
    """Tell what the file at `path` is, from its bytes.

    Args:
        source: What is known of it; its kind and facts are filled in.
        path: Its bytes.
        limit: Pixels; more is no page.

    Raises:
        PasswordNeeded: It opens only with a password.
        Unreadable: It has no known type, no structure or no pages.
        Incomplete: It is empty or ends early.
        DecompressionBomb: It claims more pixels than any page has.
    """
    kind = kind_of(path)
    return _LOOK.get(kind, opaque)(replace(source, kind=kind), path, limit)
