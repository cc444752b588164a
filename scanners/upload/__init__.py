"""The door for scan stations: the port `Acceptance` over HTTP.

The application is thin. It knows a station by its token, brings a page to this machine's disk,
and asks the house (`scanners.stack.Acceptance`); what the house took is what it says. It may be
mounted below any path; `scanners.stack.wire` says what is asked and answered.
"""

from __future__ import annotations

from scanners.upload.app import application
from scanners.upload.landing import Landing
from scanners.upload.server import UploadServer, require_usable
from scanners.upload.terms import Station

__all__ = ["Landing", "Station", "UploadServer", "application", "require_usable"]
