"""What bytes are: type by content, completeness by structure, frames of a TIFF.

Pure Python and bounded: a hostile file can neither crash the reader nor keep it busy.
"""

from __future__ import annotations

from ingest.content.kinds import kind_of
from ingest.content.structure import Completeness, completeness

__all__ = ["Completeness", "completeness", "kind_of"]
