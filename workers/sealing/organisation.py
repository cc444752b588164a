"""The organisation's key, wherever it is: in a token or at a remote service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import clock
from ingest.document import Facts
from ingest.errors import Misconfigured
from ingest.sealing_settings import SealingSettings

if TYPE_CHECKING:
    from workers.sealing.port import SigningKey


def organisation_key(settings: SealingSettings, marks: Path) -> SigningKey:
    """Return the organisation's key, which stays at hand for the next document.

    Args:
        settings: They name one custody.
        marks: The installation's key folder, where it is noted which secret was refused.

    Raises:
        AuthorityUnavailable: Token or service is away.
        Misconfigured: The set-up is wrong, or its certificate is not valid now.
    """
    key = _key(settings, marks)
    certificate = key.certificate
    if not certificate.not_valid_before_utc <= clock.now() <= certificate.not_valid_after_utc:
        text = (
            "Das Siegelzertifikat gilt nicht (gültig von "
            f"{certificate.not_valid_before_utc:%d.%m.%Y} bis "
            f"{certificate.not_valid_after_utc:%d.%m.%Y}). Bitte ein gültiges einrichten, im Token "
            "oder beim Siegeldienst."
        )
        raise Misconfigured("the organisation's certificate is not valid now", operator_text=text)
    return key


def _key(settings: SealingSettings, marks: Path) -> SigningKey:
    if settings.csc is not None:
        from workers.sealing.remote import remote_key

        return remote_key(settings.csc, marks)
    if settings.token is not None:
        from workers.sealing.custody import token_key

        return token_key(settings.token, marks)
    text = (
        "Für das Siegel der Organisation fehlt [sealing.token] oder [sealing.csc]. Bitte Token "
        "oder Siegeldienst eintragen, oder mit dem Installationsschlüssel unterschreiben."
    )
    raise Misconfigured("no key of the organisation", operator_text=text)


def attend(setup: Facts) -> Callable[[Facts], Facts]:
    """Return what opens the custody and names the certificate: a child's work, for `check`.

    The module of a token is the maker's native code, and secrets are read: neither belongs into
    the parent's memory.

    Args:
        setup: `{"sealing": SealingSettings as JSON object, "marks": the key folder}`.
    """
    settings, marks = SealingSettings.model_validate(setup["sealing"]), Path(setup["marks"])

    def serve(request: Facts) -> Facts:
        del request
        certificate = organisation_key(settings, marks).certificate
        return {
            "subject": certificate.subject.rfc4514_string(),
            "not_valid_after": certificate.not_valid_after_utc.isoformat(),
        }

    return serve
