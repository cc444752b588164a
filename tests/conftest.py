"""What every test may use: real servers on private ports."""

from __future__ import annotations

import os

pytest_plugins = ["tests.plugins.servers", "tests.plugins.authority"]


def pytest_configure() -> None:
    """Let the folders of tests lie in memory, where there is room: no test cuts the power."""
    from tests.plugins.servers import roomy_memory  # not before pytest has rewritten its asserts

    memory = roomy_memory()
    if memory is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)
