"""Inside a child process: sign the list of a bundle's files with the house's key."""

from __future__ import annotations

import base64
from collections.abc import Callable

from ingest import clock
from ingest.document import Facts
from ingest.settings import in_child


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Return the function that signs `{"list": base64}` as `{"seal": base64}`, CMS in DER.

    Args:
        setup: `{"settings": Settings.for_children(sealing=True), "kind": whose key}`.

    Raises:
        Misconfigured: The key cannot be used.
        AuthorityUnavailable: The token with the key is away; while serving, too.
    """
    from workers.sealing.detached import key_of, sign_detached

    key = key_of(setup["kind"], in_child(setup["settings"]))

    def serve(request: Facts) -> Facts:
        made = sign_detached(base64.b64decode(request["list"]), key, clock.now())
        return {"seal": base64.b64encode(made).decode("ascii")}

    return serve
