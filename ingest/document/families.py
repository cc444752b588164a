"""What the log is about: the four families of BSI TR-03138 V1.5, A.SC.11."""

from __future__ import annotations

import enum


class Family(enum.StrEnum):
    """What an entry is about."""

    CONFIGURATION = "configuration"  #: critical configuration, authentication, rights
    USE = "use"  #: who used the system when and how
    PROCESSING = "processing"  #: whether anything was processed by hand
    ERRORS = "errors"  #: errors and failed logins
