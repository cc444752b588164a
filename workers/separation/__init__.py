"""Cutting a stack into documents: what a page shows by its pixels, and where one letter ends.

`examination` looks at one page (`codes`, `patches`, `blanks`). `cutting` reads all pages' facts
and decides: `laying` puts the pages in order, `evidence` and `sorting` say what each of them is,
`statements` what separator sheets say, `counting` whether people counted the same. `sheets`
makes the separator and cover sheets that all of them understand.
"""

from __future__ import annotations

from typing import Final

from ingest.product import PRODUCT

#: Product and version of everything that decides here; it stands in the facts beside each decision.
DETECTOR: Final = f"{PRODUCT} separation/3"
