"""Network scanners that speak eSCL (AirScan), directly over HTTP(S)."""

from __future__ import annotations

from scanners.escl.driver import EsclDriver

__all__ = ["EsclDriver"]
