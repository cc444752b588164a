"""Inside a child process: ask the timestamp authority for a token over a root.

The answer is bytes from a stranger, so it is read and verified here and not where the
ledger is at hand.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from asn1crypto import cms
from cryptography import x509

from ingest.document import Facts
from ingest.errors import AuthorityUnavailable, Misconfigured
from ingest.settings import in_child
from workers.evidence import tokens
from workers.evidence.der import SEQUENCE, element
from workers.evidence.tree import algorithm_of

if TYPE_CHECKING:
    from ingest.sealing_settings import SealingSettings


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Return the function that has a root timestamped.

    It takes `{"root": hex}` and returns the token in base64 with what it says: `stamped_at`
    and `ends_at` as ISO 8601, `authority`, `algorithms`. The token is verified as a whole.
    Given `{"asked_about": token in base64}` it returns what `revocation` does.

    Args:
        setup: `{"settings": Settings.for_children(sealing=True)}`.

    Raises:
        Misconfigured: No authority is configured.
        AuthorityUnavailable: While serving: no token came, or one that is wrong in any way.
    """
    from workers.sealing.timestamps import TimestampAuthorities, load_roots

    settings = in_child(setup["settings"]).sealing
    if not settings.authorities:
        text = "Ohne sealing.tsa_urls gibt es keine Beweissicherung. Bitte den Dienst eintragen."
        raise Misconfigured("no tsa_urls", operator_text=text)
    stamper = TimestampAuthorities(
        settings.authorities, load_roots(settings.tsa_roots), settings.tsa_timeout_seconds
    )

    def serve(request: Facts) -> Facts:
        if "asked_about" in request:
            return revocation(base64.b64decode(request["asked_about"]), settings)
        root = bytes.fromhex(request["root"])
        answer = asyncio.run(stamper.async_timestamp(root, algorithm_of(root)))
        encoded: bytes = answer.dump()
        said = tokens.read(encoded)
        return {
            "token": base64.b64encode(encoded).decode("ascii"),
            "stamped_at": said.stamped_at.isoformat(),
            "ends_at": said.ends_at.isoformat(),
            "authority": said.authority,
            "algorithms": sorted(said.algorithms),
        }

    return serve


def revocation(encoded: bytes, settings: SealingSettings) -> Facts:
    """Ask the issuers about the certificate of a token, in base64 with when that is out of date.

    Returns:
        `{"content": base64, "good_until": ISO 8601}`, or `{"content": None, "reason": text}`
        where they cannot be asked, do not answer, or no roots are configured. `final` tells
        whether asking again may help.

    Raises:
        Misconfigured: The certificate is revoked.
    """
    from workers.sealing.levels import of_token
    from workers.sealing.revocation import REVOKED

    if settings.tsa_roots is None:
        return {"content": None, "reason": "no roots", "final": True}
    roots = x509.load_pem_x509_certificates(settings.tsa_roots.read_bytes())
    token = cms.ContentInfo.load(encoded)
    try:
        found = of_token(token, roots, settings.tsa_timeout_seconds)
    except AuthorityUnavailable as error:
        return {"content": None, "reason": str(error), "final": False}
    except Misconfigured as error:
        if error.code == REVOKED:
            raise
        return {"content": None, "reason": str(error), "final": True}
    groups = (found.chain, found.ocsps, found.crls)
    content = element(SEQUENCE, *(element(SEQUENCE, *one) for one in groups))
    encoded = base64.b64encode(content)
    return {"content": encoded.decode("ascii"), "good_until": found.good_until.isoformat()}
