"""The keys of a SANE device: options that only a hand at the device sets, looked at in turn.

SANE tells nobody that a key was pressed; who wants to know has to ask again and again, and holds
the device meanwhile (`scanbd` does the same).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from scanners.sane.abi import Kind, Option
from scanners.sane.library import Handle

#: Backends that read their keys only when this is triggered.
_UPDATE: Final = "button-update"
_NOT_PRESSED: Final = frozenset({"", "none"})


class Keys:
    """The keys of one open device."""

    def __init__(self, handle: Handle) -> None:
        """Look for the first time: what is on now was not pressed now.

        Raises:
            SaneFault: The device does not tell.
        """
        self._handle = handle
        self._before = self._look()

    def pressed(self) -> Iterator[str]:
        """Look again and yield the name of each key that came on or changed since.

        Raises:
            SaneFault: The device does not tell any more.
        """
        now = self._look()
        before, self._before = self._before, now
        for name, value in now.items():
            if value != before.get(name) and _is_on(value):
                yield str(value) if isinstance(value, str) else name

    def _look(self) -> dict[str, Any]:
        known = self._handle.options()
        update = known.get(_UPDATE)
        if update is not None and update.kind is Kind.BUTTON:
            self._handle.press(_UPDATE)
            known = self._handle.options()
        return {name: self._handle.value(name) for name in known if _is_key(known[name])}


def _is_key(option: Option) -> bool:
    by_hand = option.by_hand or option.name.startswith("button")
    return by_hand and option.readable and not option.settable and option.kind is not Kind.BUTTON


def _is_on(value: object) -> bool:
    return value.casefold() not in _NOT_PRESSED if isinstance(value, str) else bool(value)
