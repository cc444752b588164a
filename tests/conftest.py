"""What every test may use: real servers on private ports."""

from __future__ import annotations

pytest_plugins = ["tests.plugins.servers", "tests.plugins.authority"]
