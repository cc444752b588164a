"""What a class demands of certificates: a qualified seal, a qualified timestamp.

TR-03138 V1.5, A.AM.IN.H.1 and SH.2. The demand is held against the certificate's own statements
and the trusted lists. A certificate that is not what the class demands is refused, and the
operator is told. Where the lists do not let anybody know, the document waits. Nothing weaker is
ever made instead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ingest import clock
from ingest.document import Assignment, Facts
from ingest.errors import AuthorityUnavailable, Misconfigured, TrustUnknown

if TYPE_CHECKING:
    from cryptography import x509

    from ingest.validation_settings import ValidationSettings
    from workers.sealing.levels import Means
    from workers.sealing.port import SigningKey
    from workers.trust.anchors import Anchors

_LISTS: Final = (
    "Das Dokument wartet und wird wieder versucht; bitte [validation] trusted_lists und die "
    "nächtliche Abholung prüfen."
)


def require_demanded(
    assignment: Assignment, validation: ValidationSettings, with_what: Means
) -> Facts:
    """Refuse means that are not what the document's class demands; return what was found.

    From here on the timestamp authorities of `with_what` are held against the demand as well.

    Raises:
        Misconfigured: See `Demand.require`.
        TrustUnknown: See `Demand.require`.
    """
    demand = Demand(assignment.profile["sealing"], validation)
    demand.require(with_what.key)
    if with_what.stamper is not None:
        with_what.stamper.refuse = demand.stamps()
    return demand.facts


class Demand:
    """What one document's class demands, and what was found when it was held against it.

    Attributes:
        facts: About the certificate and the lists, for the record; empty where nothing is
            demanded.
    """

    def __init__(self, rules: Facts, validation: ValidationSettings) -> None:
        """Take the rules of the profile, `means` and `stamp` among them."""
        self._means: str | None = rules.get("means")
        self._stamp: str | None = rules.get("stamp")
        self._validation = validation
        self.facts: Facts = {}

    def require(self, key: SigningKey) -> None:
        """Refuse a key whose certificate is not what the class demands.

        Raises:
            Misconfigured: It is not, or a person's signature is demanded, which is not made here.
            TrustUnknown: No list that counts says whether it is.
        """
        if self._means in ("aes", "qes"):
            text = (
                f"Das Profil verlangt sealing.means = „{self._means}“, die Signatur einer Person. "
                "Hier entsteht nur das Siegel der Organisation; bitte aseal oder qseal eintragen."
            )
            raise Misconfigured("a person's signature is demanded", operator_text=text)
        if self._means == "qseal":
            self._require_qualified(key)
        if self._stamp == "qts":
            self._require_lists("einen qualifizierten Zeitstempel")

    def stamps(self) -> Callable[[Any], None] | None:
        """Return what refuses a timestamp token whose authority is not qualified, None if none."""
        return self._require_stamp if self._stamp == "qts" else None

    def _require_qualified(self, key: SigningKey) -> None:
        from workers.trust.qualification import judge_chain, statements

        anchors, leaf = self._anchors(), _foreign(key.certificate)
        said = statements(leaf)
        found = judge_chain(leaf, [_foreign(one) for one in key.issuers], anchors, clock.now())
        self.facts["qualified"] = found.facts()
        self.facts["trusted_lists_sha256"] = anchors.digest
        if found.answer == "no" or (found.answer == "unknown" and not said.compliance):
            raise _refused("ist nicht qualifiziert")
        if found.answer == "unknown":
            raise _unknown("ein qualifiziertes Siegel", found.reason)
        if found.kind != "seal":
            raise _refused("ist qualifiziert, aber nicht für Siegel (QcType)")
        if not found.device:
            raise _refused("nennt keine qualifizierte Siegelerstellungseinheit (QcSSCD)")

    def _require_lists(self, what: str) -> Anchors:
        anchors = self._anchors()
        if anchors.state != "current":
            reason = "; ".join(anchors.problems) or "keine Vertrauensliste eingerichtet"
            raise _unknown(what, reason)
        return anchors

    def _require_stamp(self, token: Any) -> None:
        """Refuse a token; the next authority is asked, and without one the document waits.

        Raises:
            AuthorityUnavailable: No current list names its authority as qualified.
        """
        from workers.trust.qualification import is_qualified_stamp

        anchors = self._require_lists("einen qualifizierten Zeitstempel")
        if not is_qualified_stamp(token, anchors, _stated(token)):
            text = (
                "Der Zeitstempeldienst ist nach den Vertrauenslisten nicht qualifiziert, das "
                f"Profil verlangt es. {_LISTS}"
            )
            raise AuthorityUnavailable("timestamp is not qualified", operator_text=text)

    def _anchors(self) -> Anchors:
        from workers.trust.anchors import load

        return load(self._validation, clock.now())


def _stated(token: Any) -> dt.datetime:
    moment: dt.datetime = (
        token["content"]["encap_content_info"]["content"].parsed["gen_time"].native
    )
    return moment


def _foreign(certificate: x509.Certificate) -> Any:
    from asn1crypto import x509 as asn1_x509
    from cryptography.hazmat.primitives import serialization

    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _refused(reason: str) -> Misconfigured:
    text = (
        f"Das Profil verlangt ein qualifiziertes Siegel, das Siegelzertifikat {reason}. Es wird "
        "nichts Schwächeres gemacht; bitte ein qualifiziertes Siegelzertifikat einrichten (im "
        "Token oder beim Siegeldienst) oder das Profil ändern."
    )
    return Misconfigured(f"qualified seal demanded: {reason}", operator_text=text)


def _unknown(what: str, reason: str) -> TrustUnknown:
    text = (
        f"Das Profil verlangt {what}; ob das Zertifikat qualifiziert ist, ist zurzeit nicht "
        f"feststellbar ({reason}). {_LISTS}"
    )
    return TrustUnknown(f"qualified status unknown: {reason}", operator_text=text)
