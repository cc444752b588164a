"""The event log: hash chains, salted payloads, and the way from a chain's head to a day's root."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

GENESIS = "0" * 64
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_ERASED = "erased"
_TEXTS = ("chain", "kind", "at", "actor", "payload_digest", "previous", "digest")


class Chain:
    """The lines about one chain.

    Attributes:
        unit_kind: batch or document.
        problems: German; empty where everything holds.
    """

    def __init__(self, id: str, unit_kind: str, length: int, head: str) -> None:  # noqa: A002 - as the line calls it
        """Take what the chain's own line says."""
        self.id = id
        self.unit_kind = unit_kind
        self.length = length
        self.head = head
        self.events: list[dict[str, Any]] = []
        self.anchors: list[dict[str, Any]] = []
        self.problems: list[str] = []

    @property
    def withheld(self) -> int:
        """How many payloads are not shown, so that their digests were not computed again."""
        return sum(event["salt"] is None for event in self.events)

    @property
    def is_erased(self) -> bool:
        """Whether an erasure is recorded."""
        return any(event["kind"] == _ERASED for event in self.events)


def as_one_text(value: object) -> str:
    """Return the JSON text of which digests are made: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_log(text: str) -> dict[str, Chain]:
    """Return the chains of a log, by id, with what is wrong in them.

    Raises:
        ValueError: A line is not JSON, or not of a known kind.
    """
    chains: dict[str, Chain] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            said = json.loads(line)
            kind = said["message_type"]
            if kind == "chain":
                chain = Chain(said["chain"], said["unit_kind"], said["length"], said["head"])
                chains[chain.id] = chain
            elif kind == "event":
                chains[said["chain"]].events.append(said)
            else:
                chains[said["chain"]].anchors.append(said)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"Zeile {number} ist nicht lesbar") from error
    for chain in chains.values():
        _follow(chain)
    return chains


def _follow(chain: Chain) -> None:
    previous = GENESIS
    for number, event in enumerate(chain.events, 1):
        try:
            problem = _fault(event, number, previous)
        except (ValueError, LookupError, TypeError, OverflowError):
            problem = "nicht lesbar"
        if problem is not None:
            chain.problems.append(f"Ereignis {number}: {problem}")
        previous = str(event.get("digest"))
    if (chain.length, chain.head) != (len(chain.events), previous):
        chain.problems.append("das letzte Ereignis ist nicht das, mit dem die Kette endet")


def _fault(event: dict[str, Any], number: int, previous: str) -> str | None:
    if event.get("seq") != number or not all(isinstance(event.get(key), str) for key in _TEXTS):
        return "nicht das erwartete"
    if event["previous"] != previous:
        return "nennt ein anderes Ereignis davor"
    moment = _EPOCH + dt.timedelta(microseconds=int(event["at_microseconds"]))
    if moment.isoformat() != event["at"]:
        return "die Zeit ist zweimal verschieden genannt"
    keys = ("chain", "seq", "kind", "at_microseconds", "actor", "payload_digest", "previous")
    found = hashlib.sha256(as_one_text([event[key] for key in keys]).encode()).hexdigest()
    if found != event["digest"]:
        return "wurde verändert"
    salt = event.get("salt")
    if salt is None:
        return None if event.get("withheld") else "ohne Inhalt und ohne Grund dafür"
    said = hashlib.sha256((salt + as_one_text(event["payload"])).encode()).hexdigest()
    return None if said == event["payload_digest"] else "der Inhalt wurde verändert"


def root_from(anchor: dict[str, Any]) -> str:
    """Return the day's root to which an anchor leads (RFC 9162, section 2.1.3.2).

    Raises:
        ValueError: The path is none.
    """
    leaf = as_one_text([anchor["chain"], anchor["length"], anchor["head"]]).encode()
    node = hashlib.sha256(b"\x00" + leaf).digest()
    place, last = int(anchor["index"]), int(anchor["heads"]) - 1
    if not 0 <= place <= last:
        raise ValueError("kein Platz im Baum")
    for sibling in anchor["path"]:
        if last == 0:
            raise ValueError("der Weg ist zu lang")
        beside = bytes.fromhex(sibling)
        if place % 2 or place == last:
            node = hashlib.sha256(b"\x01" + beside + node).digest()
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            node = hashlib.sha256(b"\x01" + node + beside).digest()
        place, last = place // 2, last // 2
    if last:
        raise ValueError("der Weg ist zu kurz")
    return node.hex()


def sealed_with(chain: Chain) -> str | None:
    """Return the digest of the certificate that the last event of sealing names, if it does."""
    for event in reversed(chain.events):
        if event["kind"] == "sealed" and isinstance(event["payload"], dict):
            found = event["payload"].get("certificate_sha256")
            return None if found is None else str(found)
    return None


def stated(chain: Chain, kind: str, name: str) -> str | None:
    """Return the digest of a rendition as the last event of a kind names it."""
    for event in reversed(chain.events):
        if event["kind"] == kind and isinstance(event["payload"], dict):
            found = event["payload"].get("renditions", {}).get(name)
            return None if found is None else str(found)
    return None
