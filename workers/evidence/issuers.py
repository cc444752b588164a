"""What issuers say of the certificates of timestamps: asked in the child, kept in the ledger."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from ingest.errors import Misconfigured
from ingest.ledger import accepting, revocations
from ingest.ledger.revocations import Said

if TYPE_CHECKING:
    from ingest.ledger import Ledger
    from ingest.ledger.evidence import Due
    from ingest.sandbox import Child
    from ingest.settings import Settings

log = structlog.get_logger(__name__)

#: Timestamps that are asked about again in one round.
_ASKED_AT_ONCE: Final = 20
_DAY: Final = dt.timedelta(days=1)
_SERVICES: Final = 8  #: that one certificate and those above it may name
_MARGIN_SECONDS: Final = 60.0  #: for a child to start and to give up by itself


class Issuers:
    """Asks the issuers; one that does not answer holds up nothing and is asked again."""

    def __init__(
        self, settings: Settings, ledger: Ledger, child: Child, going: Callable[[], bool]
    ) -> None:
        """Take the child that asks (`workers.evidence.stamping`) and what tells if to go on."""
        self._settings = settings
        self._ledger = ledger
        self._child = child
        self._going = going
        self._unanswered: set[int] = set()

    def before_renewal(self, tenant: str, rows: list[Due]) -> dict[int, Said]:
        """Ask a last time about the timestamps that are to be renewed, once a certificate."""
        found: dict[int, Said] = {}
        newest = {
            (row.authority, row.certificate_ends_at): (row.newest, row.tokens[-1])
            for row in sorted(rows, key=lambda row: row.newest)
        }
        for number, token in newest.values():
            try:
                said, _ = self.about(token)
            except Misconfigured as error:  # the more reason to renew it now
                log.error("alarm_timestamp_revoked", tenant=tenant, batch=number, error=str(error))  # noqa: TRY400 - the text says it
                continue
            if said is not None:
                found[number] = said
        return found

    def complete(self, tenant: str) -> int:
        """Ask again about timestamps whose issuers did not answer; return for how many they did.

        Raises:
            LedgerUnavailable: Nothing was recorded.
        """
        if not self._settings.sealing.authorities:
            return 0
        with self._ledger.reading() as connection:
            missing = revocations.missing(connection, tenant, _ASKED_AT_ONCE)
        done = 0
        for number, token in missing:
            if number in self._unanswered:
                continue
            try:
                said, final = self.about(token)
            except Misconfigured as error:
                log.error("alarm_timestamp_revoked", tenant=tenant, batch=number, error=str(error))  # noqa: TRY400 - the text says it
                said, final = None, True
            if final:
                self._unanswered.add(number)
            if said is not None:
                with self._ledger.writing() as connection:
                    revocations.keep(connection, tenant, number, said)
                done += 1
        return done

    def daily(self, tenant: str, token: bytes, authority: str, ends_at: dt.datetime) -> Said | None:
        """Return what the issuers say of a token's certificate, asked once a day.

        Raises:
            Misconfigured: It is revoked.
        """
        with self._ledger.reading() as connection:
            last = revocations.asked_at(connection, tenant, authority, ends_at)
            if last is not None and accepting.now(connection) - last < _DAY:
                return None
        return self.about(token)[0]

    def about(self, token: bytes) -> tuple[Said | None, bool]:
        """Return what the issuers say of a token's certificate, and if asking again is in vain.

        Raises:
            Misconfigured: It is revoked.
        """
        seconds = _SERVICES * self._settings.sealing.tsa_timeout_seconds + _MARGIN_SECONDS
        request = {"asked_about": base64.b64encode(token).decode("ascii")}
        answer = self._child.call(request, seconds, self._going)
        if answer["content"] is None:
            if not answer["final"]:
                log.warning("no_revocation_answer", reason=answer["reason"])
            return None, bool(answer["final"])
        content = base64.b64decode(answer["content"])
        good_until = dt.datetime.fromisoformat(answer["good_until"])
        return Said(content=content, good_until=good_until), False
