"""What every test may use: real servers on private ports."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.plugins.servers", "tests.plugins.authority"]


# No law is about speed, and a busy machine is slow at making examples too. Where CI judges a
# change, it judges with the same examples each time; new ones are looked for everywhere else.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("searching", _PATIENT)
settings.register_profile("judging", _PATIENT, derandomize=True)
settings.load_profile("judging" if os.environ.get("CI") else "searching")


def pytest_configure() -> None:
    """Let the folders of tests lie in memory, where there is room: no test cuts the power."""
    from tests.plugins.servers import roomy_memory  # not before pytest has rewritten its asserts

    memory = roomy_memory()
    if memory is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)
