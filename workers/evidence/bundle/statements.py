"""What the ledger says of a document, as files of its bundle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ingest.document import Facts, Step, report_sha256
from workers.evidence.bundle.disclosure import names_place, shown
from workers.evidence.bundle.pieces import Pieces

if TYPE_CHECKING:
    from ingest.ledger.excerpts import Anchor
    from workers.evidence.bundle.known import Known

LOG: Final = "protokoll.jsonl"
_OF_BATCH: Final = (
    "stage",
    "profile",
    "profile_sha256",
    "channel",
    "operator",
    "device",
    "storage_place",
    "received_at",
    "received_at_source",
    "registered_at",
    "scanned_at",
    "closed_at",
    "sides",
    "expected_sheets",
    "expected_consignments",
)
_OF_PAGE: Final = ("number", "source", "index", "sheet", "side", "role", "sha256")
_OF_SOURCE: Final = ("ordinal", "sha256", "size", "kind", "pages")
_OF_INSPECTION: Final = ("ordinal", "sha256", "kind", "pages", "facts")
#: What anybody may know of another document's part in the sample: no words about it.
_OF_MEMBER: Final = ("document", "ordinal", "revision", "selected", "why", "flagged")


def log(known: Known) -> bytes:
    """Return all chains, one JSON object a line, each with its way to the root of a day."""
    files = [one for one in known.files if one["ordinal"] in known.foreign_sources]
    foreign = frozenset(one["name"] for one in files if one["name"])
    lines: list[Facts] = []
    for chained in (*known.chains, *known.papers):
        shared = known.has_neighbours and chained.whole["chain"] == known.batch["id"]
        lines.append({"message_type": "chain", **chained.whole})
        lines += [shown(event, shared=shared, foreign=foreign) for event in chained.events]
        if chained.anchor is not None:
            lines.append(_anchored(chained.anchor, known))
    return "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines).encode()


def day_record(day: str) -> str:
    """Return the name of the evidence record over the root of a day."""
    return f"nachweise/tageswurzel-{day}.er"


def _anchored(anchor: Anchor, known: Known) -> Facts:
    return {
        "message_type": "anchor",
        "chain": anchor.head.chain,
        "length": anchor.head.length,
        "head": anchor.head.digest,
        "day": anchor.day,
        "root": anchor.root,
        "anchored_at": anchor.anchored_at.isoformat(),
        "heads": anchor.heads,
        "index": anchor.index,
        "path": list(anchor.path),
        "record": day_record(anchor.day) if anchor.day in known.days else None,
    }


def batch_record(known: Known) -> Facts:
    """Return the Stapelprotokoll: every page with its digest, what became of it, all counts."""
    batch, own = known.batch, known.own_sources
    owner = {
        number: one["id"]
        for one in known.cut
        if not one["superseded_by"]
        for number in one["pages"]
    }
    pages = [
        {**{key: page[key] for key in _OF_PAGE}, "document": owner.get(page["number"])}
        for page in batch["pages_found"]
    ]
    sources = [
        {
            **{key: one[key] or None for key in _OF_SOURCE},
            "enclosure_of": one.get("enclosure_of"),
            "rescan_of": one.get("rescan_of"),
            # the names of others' files may say who wrote
            "name": one["name"] if one["ordinal"] in own else None,
        }
        for one in known.files
    ]
    facts: Facts = batch["facts"]
    members = [
        member if member["document"] == known.id else _chosen(member, _OF_MEMBER)
        for member in known.sample.get("documents", [])
    ]
    return {
        "batch": batch["id"],
        **{key: batch[key] for key in _OF_BATCH},
        "counts": {
            "sources": len(batch["sources"]),
            "pages": len(pages),
            "documents": len({one["ordinal"] for one in known.cut}),
            "omitted": len(batch["omitted"]),
        },
        "sources": sources,
        "pages": pages,
        "documents": known.cut,
        "omitted": batch["omitted"],
        "separators": [page["number"] for page in pages if page["role"] == "separator"],
        "put_back": facts.get("put_back", {}).get("pages", []),
        "anomalies": known.document["facts"].get(Step.NOTE, {}).get("anomalies", []),
        "sample": {
            **{key: value for key, value in known.sample.items() if key != "tenant"},
            **({"documents": members} if members else {}),
        },
    }


def reports(known: Known, pieces: Pieces) -> None:
    """Add what was found about the files that arrived, and by checking."""
    for one in known.files:
        report = report_sha256(one["facts"])
        if one["ordinal"] in known.own_sources - known.shared_sources and report is not None:
            pieces.add_blob(f"pruefberichte/signaturen-{one['ordinal']:03}.xml", report)
    found = {
        "eingang": [
            {key: one[key] for key in _OF_INSPECTION}
            for one in known.files
            if one["ordinal"] in known.own_sources - known.shared_sources and one["sha256"]
        ],
        "kontrolle": _as_found(known.document["facts"].get(Step.CHECKING, {})),
    }
    for name, value in found.items():
        if not value:
            continue
        if names_place(value):
            pieces.lacks(f"pruefberichte/{name}.json", "nennt Technik der Anlage")
        else:
            pieces.add_json(f"pruefberichte/{name}.json", value)


def _chosen(facts: Facts, keys: tuple[str, ...]) -> Facts:
    return {key: facts[key] for key in keys if key in facts}


def _as_found(facts: Facts) -> Facts:
    """Return a step's facts without the time that recording added: so an event's digest fits."""
    return {key: value for key, value in facts.items() if key != "recorded_at"}


def software(known: Known) -> list[Facts]:
    """Return which tools made what of the document and its pages, as recorded then."""
    made = {(str(one["kind"]), str(one["tool"])) for one in known.document["renditions"]}
    return [{"made": kind, "tool": tool} for kind, tool in sorted(made)]


def deletion(known: Known) -> Facts:
    """Return the Löschprotokoll: what was erased when, by whom and why."""
    entries: list[dict[str, Any]] = [
        {"chain": chained.whole["chain"], "at": event["at"], "by": event["actor"]}
        | {"said": event["payload"] if not names_place(event["payload"]) else None}
        for chained in known.chains
        for event in chained.events
        if event["kind"] == "erased"
    ]
    return {"document": known.id, "erased_at": known.document["erased_at"], "entries": entries}


def paper(known: Known) -> Facts | None:
    """Return where the paper lies or what became of it; None where nothing is recorded."""
    place = known.batch["storage_place"]
    if not known.paper and place is None:
        return None
    return {"batch": known.batch["id"], "storage_place": place, "paper": known.paper}
