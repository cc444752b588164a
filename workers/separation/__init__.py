"""Cutting a stack into documents: what a page shows by its pixels, and where one letter ends.

`examination` looks at one page (codes, patch bars, blank or not), `cutting` reads all pages'
facts in order and decides. `sheets` makes the separator sheets that both understand.
"""

from __future__ import annotations

from typing import Final

from ingest.product import PRODUCT

#: Product and version of everything that decides here; it stands in the facts beside each decision.
DETECTOR: Final = f"{PRODUCT} separation/1"
