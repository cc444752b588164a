"""Recognition of pages and composition of the searchable document.

`page` reads one page (words and their places), `composition` makes one searchable PDF/A-3b out of
a document's pages. The page is the unit of recognition: its result is recorded as soon as it
exists, and composing never recognises anything again.
"""

from __future__ import annotations
