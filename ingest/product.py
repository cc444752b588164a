"""Which version of the product this process runs; it stands beside what every step finds."""

from __future__ import annotations

from importlib import metadata
from typing import Final

VERSION: Final = metadata.version("scanstrasse")
#: How tools and detectors begin: `scanstrasse 0.1.0 inspection/1`.
PRODUCT: Final = f"scanstrasse {VERSION}"
