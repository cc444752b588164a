"""The one place that says whether a standing may follow another."""

from __future__ import annotations

from ingest.document import MOVES, Standing


class IllegalMove(ValueError):
    """A standing was to follow one that does not allow it; nothing was written."""


def move(before: str, after: Standing) -> Standing:
    """Return `after` if it may follow `before`.

    Raises:
        IllegalMove: It may not; the transaction has to end without a commit.
    """
    if after not in MOVES[Standing(before)]:
        message = f"{after} may not follow {before}"
        raise IllegalMove(message)
    return after
