"""The hash tree as evidence speaks of it; the ledger computes with it as well."""

from __future__ import annotations

from ingest.hashtree import (
    ALGORITHM,
    BRANCH,
    SIZE,
    SIZES,
    Branch,
    Tree,
    algorithm_of,
    climbed,
    combined,
    root_of,
)

__all__ = [
    "ALGORITHM",
    "BRANCH",
    "SIZE",
    "SIZES",
    "Branch",
    "Tree",
    "algorithm_of",
    "climbed",
    "combined",
    "root_of",
]
