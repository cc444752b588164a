"""What is lent for a block and given back at its end."""

from __future__ import annotations

from typing import Protocol, Self


class _Closed(Protocol):
    def close(self) -> None: ...


class Lent:
    """Something that `with` closes: for classes with a method `close`."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self: _Closed, *error: object) -> None:
        """Close."""
        self.close()
