"""As whom the operating system knows the user of this process.

The environment is not asked: whoever starts a command writes it.
"""

from __future__ import annotations

import importlib
import os
from typing import Any


def login_name() -> str:
    """Return the user's name, as `[logins]` of `station.toml` spells it; empty where there is none.

    Windows does not tell capitals from small letters, so there it is in small ones.
    """
    if os.name == "nt":
        return spelt(os.getlogin())  # of the process, whoever sits at the console
    posix: Any = importlib.import_module("posix")
    pwd: Any = importlib.import_module("pwd")
    try:
        return str(pwd.getpwuid(posix.getuid()).pw_name)
    except KeyError:  # a container's user may have no entry
        return ""


def spelt(name: str) -> str:
    """Return a user's name as this system compares it."""
    return name.casefold() if os.name == "nt" else name
