"""What of the history may leave the house with one document.

An event's digest is over its whole payload, so a payload goes out whole or not at all; its
event verifies either way. Withheld is what may speak of other documents of the same batch,
and what names folders, machines or addresses of the installation. What remains of persons
are operator codes, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from ingest.document import Facts

_ERASED: Final = "gelöscht"
_TECHNICAL: Final = "nennt Technik der Anlage"
_OTHERS: Final = "kann andere Dokumente des Stapels betreffen"
#: Events of a batch that say of pages and documents nothing but numbers and digests, besides
#: names of files, which are looked at one by one.
_PLAIN: Final = frozenset(
    {
        "received",
        "inspected",
        "page_examined",
        "separated",
        "page_put_back",
        "pages_rescanned",
        "witnessed",
        "erased",
        "quality_committed",
        "quality_opened",
        "quality_added",
        "quality_stopped",
        "quality_resumed",
        "quality_closed",
    }
)
#: Their texts come from libraries, which may name any host or file.
_FROM_LIBRARIES: Final = frozenset({"deferred_for_retry", "lease_expired"})
#: Folders of Unix and Windows, shares, addresses.
_PLACE: Final = re.compile(
    r"(?:^|[\s\"'(=:,\[])/(?:[^\s/\"']+/)+|\b[A-Za-z]:[\\/]|\\\\\w|\b\w+://"
    r"|(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"
)


def names_place(value: object) -> bool:
    """Tell whether any text in a JSON value names a folder, a share or an address."""
    return any(_PLACE.search(text) for text in texts(value))


def texts(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield str(key)
            yield from texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from texts(part)


def shown(event: Facts, *, shared: bool, foreign: Collection[str]) -> Facts:
    """Return an event as it goes out: with payload and salt, or with the reason why not.

    Args:
        event: As `ingest.ledger.excerpts.told` gives it.
        shared: It is in the chain of a batch to which other documents belong as well.
        foreign: Names of files that belong to other documents alone.
    """
    reason = _reason(event, shared=shared, foreign=foreign)
    if reason is None:
        return {"message_type": "event", **event}
    return {"message_type": "event", **event, "salt": None, "payload": None, "withheld": reason}


def _reason(event: Facts, *, shared: bool, foreign: Collection[str]) -> str | None:
    payload = event["payload"]
    if event["salt"] is None:
        return _ERASED
    if event["kind"] in _FROM_LIBRARIES or names_place(payload):
        return _TECHNICAL
    if shared and event["kind"] not in _PLAIN:
        return _OTHERS
    return _OTHERS if any(text in foreign for text in texts(payload)) else None
