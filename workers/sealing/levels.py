"""The PAdES levels: what each needs, and how a seal gets there.

A level is made or the document waits; a lower one never stands in for it.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509

from ingest.document import Facts
from ingest.errors import AuthorityUnavailable, Misconfigured
from profiles.sealing import Level
from workers.sealing.port import FIELD_PREFIXES, SigningKey

if TYPE_CHECKING:
    from ingest.sealing_settings import SealingSettings
    from workers.sealing.revocation import Evidence, Revocation
    from workers.sealing.signing import Presentation
    from workers.sealing.timestamps import TimestampAuthorities

_LONG_TERM = ("B-LT", "B-LTA")


@dataclass(frozen=True, kw_only=True)
class Means:
    """What one document is sealed with.

    Attributes:
        tsa_roots: Roots of the timestamp authorities; needed from B-LT.
        seconds: Patience with each service.
    """

    key: SigningKey
    level: Level
    stamper: TimestampAuthorities | None
    tsa_roots: tuple[x509.Certificate, ...]
    seconds: float

    @property
    def is_long_term(self) -> bool:
        """Whether revocation data goes into the file."""
        return self.level in _LONG_TERM


def require_means(profile: Facts, settings: SealingSettings) -> None:
    """Refuse a profile whose seal the installation cannot make.

    Args:
        profile: As an assignment carries it.
        settings: What this installation has.

    Raises:
        Misconfigured: Key, authority or roots are not configured; the message names the keys.
    """
    rules = profile["sealing"]
    level = level_of(rules, authorities=bool(settings.authorities))
    text = f"Profil '{profile['name']}' verlangt "
    if rules["key"] == "organisation" and not settings.has_organisation:
        text += (
            "das Siegel der Organisation, aber weder [sealing.token] noch [sealing.csc] ist "
            "eingerichtet. Bitte Token oder Siegeldienst eintragen, oder das Profil ändern."
        )
        raise Misconfigured("profile wants a seal, no key for it", operator_text=text)
    if level != "B-B" and not settings.authorities:
        text += (
            "einen Zeitstempel, aber sealing.tsa_urls ist nicht gesetzt. Bitte Dienst eintragen "
            "oder Profil ändern."
        )
        raise Misconfigured("profile wants a timestamp, no tsa_urls", operator_text=text)
    rooted = settings.tsa_roots is not None and settings.issuers is not None
    if level in _LONG_TERM and not rooted:
        text += (
            f"die Stufe {level}. Dafür müssen sealing.tsa_roots und die issuers in [sealing.token] "
            "oder [sealing.csc] bis zur Wurzel eingetragen sein."
        )
        raise Misconfigured(f"level {level} without roots", operator_text=text)


def means(rules: Facts, settings: SealingSettings, key: SigningKey) -> Means:
    """Return what the profile's level takes, after `require_means`."""
    level = level_of(rules, authorities=bool(settings.authorities))
    roots: tuple[x509.Certificate, ...] = ()
    if level in _LONG_TERM and settings.tsa_roots is not None:
        roots = tuple(x509.load_pem_x509_certificates(settings.tsa_roots.read_bytes()))
    return Means(
        key=key,
        level=level,
        stamper=_stamper(settings) if level != "B-B" else None,
        tsa_roots=roots,
        seconds=settings.tsa_timeout_seconds,
    )


def level_of(rules: Facts, *, authorities: bool) -> Level:
    """Return the level that a profile's rules make; profiles of older versions name none."""
    named: Level | None = rules.get("level")
    if named is not None:
        return named
    return "B-T" if authorities or rules["timestamp"] else "B-B"


def seal(
    source: Path,
    target: Path,
    document: str,
    means: Means,
    presentation: Presentation | None = None,
) -> None:
    """Write `source`, sealed at the level of `means`, to `target`.

    Args:
        source: The file.
        target: Where the sealed one is written.
        document: Its id, part of the field's name.
        means: What to seal with.
        presentation: Reason and look; None takes the usual reason and draws nothing.

    Raises:
        NotSignable: The structure of the file does not allow it.
        AuthorityUnavailable: A service or the key is away. `target` must not be used.
        Misconfigured: A certificate is revoked, or no way leads to a root.
    """
    from workers.sealing.signing import sign

    evidence = []
    if means.is_long_term:  # first, because this asks for nothing that costs a timestamp
        evidence.append(_of_seal(means))
    field = FIELD_PREFIXES[means.key.kind] + document
    sign(source, target, means.key, field, means.stamper, presentation)
    if means.is_long_term and means.stamper is not None:
        from workers.sealing.archival import ARCHIVE_PREFIX, add_evidence

        evidence.append(_of_timestamp(means, means.stamper))
        _require_current(evidence, means.stamper)
        stamper = means.stamper if means.level == "B-LTA" else None
        add_evidence(target, evidence, ARCHIVE_PREFIX + document, stamper)


def _of_seal(means: Means) -> Evidence:
    issuers = means.key.issuers
    roots = [one for one in issuers if one.issuer == one.subject]
    return _revocation(means.seconds).gather(means.key.certificate, issuers, roots)


def _of_timestamp(means: Means, stamper: TimestampAuthorities) -> Evidence:
    if stamper.token is None:
        message = "no token to ask about"
        raise ValueError(message)
    return of_token(stamper.token, means.tsa_roots, means.seconds)


def of_token(token: Any, roots: Sequence[x509.Certificate], seconds: float) -> Evidence:
    """Return validated revocation data for the certificate of a timestamp token.

    Args:
        token: CMS ContentInfo.
        roots: Of the timestamp authorities.
        seconds: Patience with each service.

    Raises:
        AuthorityUnavailable: As `Revocation.gather`.
        Misconfigured: As `Revocation.gather`.
    """
    signed = token["content"]
    (signer,) = signed["signer_infos"]
    serial = signer["sid"].chosen["serial_number"].native
    embedded = [x509.load_der_x509_certificate(c.chosen.dump()) for c in signed["certificates"]]
    (leaf,) = [one for one in embedded if one.serial_number == serial]
    return _revocation(seconds).gather(leaf, embedded, roots)


def _require_current(evidence: Sequence[Evidence], stamper: TimestampAuthorities) -> None:
    """Refuse answers that were out of date when the timestamp was made: they prove nothing."""
    end, moment = min(one.good_until for one in evidence), _moment(stamper)
    if moment >= end:
        text = (
            f"Die Sperrauskunft galt bis {end:%d.%m.%Y %H:%M} UTC, der Zeitstempel nennt "
            f"{moment:%H:%M}. Das Dokument wartet und wird wieder versucht; bitte die Uhren prüfen."
        )
        message = "revocation data is older than the timestamp allows"
        raise AuthorityUnavailable(message, operator_text=text)


def _moment(stamper: TimestampAuthorities) -> dt.datetime:
    if stamper.token is None:
        message = "no token to read"
        raise ValueError(message)
    stated = stamper.token["content"]["encap_content_info"]["content"].parsed
    moment: dt.datetime = stated["gen_time"].native
    return moment


@functools.cache
def _revocation(seconds: float) -> Revocation:
    from workers.sealing.revocation import Revocation

    return Revocation(seconds)


def _stamper(settings: SealingSettings) -> TimestampAuthorities:
    from workers.sealing.timestamps import TimestampAuthorities, load_roots

    roots = load_roots(settings.tsa_roots)
    return TimestampAuthorities(settings.authorities, roots, settings.tsa_timeout_seconds)
