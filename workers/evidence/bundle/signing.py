"""Inside a child process: sign the list of a bundle's files with the house's key."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from ingest.document import Facts
from ingest.settings import Settings, in_child

if TYPE_CHECKING:
    from workers.sealing.port import SigningKey


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Return the function that signs `{"list": base64}` as `{"seal": base64, …}`, CMS in DER.

    The answer names the certificate that signed by its digest, `certificate_sha256`.

    Args:
        setup: `{"settings": Settings.for_children(sealing=True), "kind": whose key}`.

    Raises:
        Misconfigured: The key cannot be used.
        AuthorityUnavailable: Token or service with the key is away; while serving, too.
    """
    from workers.sealing.detached import prove_beside, seal_beside
    from workers.sealing.levels import Means
    from workers.sealing.port import fingerprint

    settings = in_child(setup["settings"])
    with_what = Means(
        key=_key(setup["kind"], settings),
        level="B-B",
        stamper=None,
        tsa_roots=(),
        seconds=settings.sealing.tsa_timeout_seconds,
    )

    def serve(request: Facts) -> Facts:
        listed = base64.b64decode(request["list"])
        made = seal_beside(listed, with_what)
        prove_beside(listed, made, with_what)
        return {
            "seal": base64.b64encode(made).decode("ascii"),
            "certificate_sha256": fingerprint(with_what.key.certificate),
        }

    return serve


def _key(kind: str, settings: Settings) -> SigningKey:
    from workers.sealing import ensure_installation_key
    from workers.sealing.keys import load_key
    from workers.sealing.organisation import organisation_key

    if kind == "installation":
        return load_key(ensure_installation_key(settings.keys))
    return organisation_key(settings.sealing, settings.keys)
