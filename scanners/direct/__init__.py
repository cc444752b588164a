"""The house on the machine of its ledger: stacks go straight into ledger and store."""

from __future__ import annotations

from scanners.direct.house import DirectHouse, Workplace

__all__ = ["DirectHouse", "Workplace"]
