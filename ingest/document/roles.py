"""Who may do what (BSI TR-03138 V1.5, A.O.1e–g; Gen table 11), and what excludes what."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Final


class Role(enum.StrEnum):
    """What a person is entrusted with. A person may have several."""

    PREPARER = "preparer"  #: Vorbereitung: registers, stamps, classifies
    SCAN_OPERATOR = "scan_operator"
    CHECKER = "checker"  #: Prüferin oder Prüfer (Qualitätssicherung)
    CLERK = "clerk"  #: Sachbearbeitung: result of the implicit check, consent to destruction
    SEAL_OFFICER = "seal_officer"  #: Siegelverantwortung: outgoing seals, key and PIN
    SUPERVISOR = "supervisor"  #: Leitung der Scanstelle: approves profiles, clears doubts
    RELEASER = "releaser"  #: releases paper for destruction
    DESTROYER = "destroyer"  #: destroys released paper
    ADMINISTRATOR = "administrator"  #: persons, roles, system
    AUDITOR = "auditor"  #: Revision, Datenschutz: reads the log, resolves a pseudonym
    SECURITY_OFFICER = "security_officer"  #: decides what leaves quarantine
    AUDITOR_DEPUTY = "auditor_deputy"  #: stands in for them when a pseudonym is to be resolved


ROLE_NAMES: Final = MappingProxyType(
    {
        Role.PREPARER: "Vorbereitung",
        Role.SCAN_OPERATOR: "Scan-Operator",
        Role.CHECKER: "Qualitätssicherung",
        Role.CLERK: "Sachbearbeitung",
        Role.SEAL_OFFICER: "Siegelverantwortung",
        Role.SUPERVISOR: "Leitung der Scanstelle",
        Role.RELEASER: "Freigabe der Vernichtung",
        Role.DESTROYER: "Durchführung der Vernichtung",
        Role.ADMINISTRATOR: "Administration",
        Role.AUDITOR: "Revision",
        Role.SECURITY_OFFICER: "IT-Sicherheit",
        Role.AUDITOR_DEPUTY: "Vertretung der Revision",
    }
)
#: Whoever runs the system neither judges, seals nor audits its results (TR-03138 A.O.1f:
#: conflicts of interest; the pairs themselves are our choice).
FORBIDDEN_PAIRS: Final = frozenset(
    frozenset({Role.ADMINISTRATOR, other})
    for other in (Role.CHECKER, Role.SEAL_OFFICER, Role.AUDITOR, Role.AUDITOR_DEPUTY)
)
