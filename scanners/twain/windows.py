"""The window that TWAIN wants on Windows, and its messages; nothing of it on other systems.

Callbacks tell what matters, but many sources still keep windows of their own in the thread that
opened them, which stand still when nobody takes their messages. Run under Wine, not on
Windows so far: see the README for what was tried.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import Structure, addressof, byref, c_long, c_size_t, c_uint, c_void_p
from typing import Any, ClassVar, Final

_MESSAGES_ONLY: Final = -3  #: HWND_MESSAGE: a window that is never seen
_REMOVE: Final = 1  #: PM_REMOVE


class Message(Structure):
    """MSG of the Windows interface."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("window", c_void_p),
        ("message", c_uint),
        ("first", c_size_t),
        ("second", c_size_t),
        ("time", c_uint),
        ("x", c_long),
        ("y", c_long),
    ]


def window(user32: Any = None) -> int | None:
    """Return the handle of a hidden window of this thread, None where there are no windows."""
    functions = _user32(user32)
    if functions is None:
        return None
    create = functions.CreateWindowExW
    create.restype = c_void_p
    create.argtypes = (
        (c_uint, ctypes.c_wchar_p, ctypes.c_wchar_p, c_uint) + (ctypes.c_int,) * 4 + (c_void_p,) * 4
    )
    parent = c_void_p(_MESSAGES_ONLY)
    made = create(0, "STATIC", "Scanstrasse", 0, 0, 0, 0, 0, parent, None, None, None)
    return None if made is None else int(made)


def pump(passed_on: Callable[[int], bool], user32: Any = None) -> int:
    """Take all messages that wait: first the source is asked, then they go to their windows.

    Args:
        passed_on: Gives the message at this address to the source; whether it was the source's.
        user32: In place of the system's library.

    Returns:
        How many there were.
    """
    functions = _user32(user32)
    if functions is None:
        return 0
    count, message = 0, Message()
    while functions.PeekMessageW(byref(message), None, 0, 0, _REMOVE):
        count += 1
        if not passed_on(addressof(message)):
            functions.TranslateMessage(byref(message))
            functions.DispatchMessageW(byref(message))
    return count


def _user32(given: Any) -> Any:
    loader = getattr(ctypes, "WinDLL", None)
    return given if given is not None or loader is None else loader("user32")
