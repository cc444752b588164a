"""Inside a child process: ask the timestamp authority for a token over a root.

The answer is bytes from a stranger, so it is read and verified here and not where the
ledger is at hand.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

from ingest.document import Facts
from ingest.errors import Misconfigured
from ingest.settings import in_child
from workers.evidence import tokens
from workers.evidence.tree import ALGORITHM


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Return the function that has a root timestamped.

    It takes `{"root": hex}` and returns the token in base64 with what it says: `stamped_at`
    and `ends_at` as ISO 8601, `authority`, `algorithms`. The token is verified as a whole.

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
        answer = asyncio.run(stamper.async_timestamp(bytes.fromhex(request["root"]), ALGORITHM))
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
