"""Which files a document's bundle has, and what each of them is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import profiles
from ingest.document import NOT_RECORDED, Facts
from ingest.errors import ProfileInvalid
from workers.evidence.bundle import certificates, statements
from workers.evidence.bundle.packing import MANIFEST, SEAL
from workers.evidence.bundle.pages import readme
from workers.evidence.bundle.pieces import Piece, Pieces
from workers.evidence.bundle.verifier import NAME, source
from workers.note.reading import html as note_page
from workers.sealing.keys import CERTIFICATE_FILE

if TYPE_CHECKING:
    from ingest.settings import Settings
    from ingest.store.port import Store
    from workers.evidence.bundle.known import Known

PDF: Final = "scanprodukt.pdf"
_SUBJECT: Final = "beweis.json"
_README: Final = "LIESMICH.html"
_RECORD: Final = "evidence-record.er"
_ORIGINALS: Final = "original-eingang"
_NOTES: Final = ("scanvermerk", "transfervermerk")
#: What came later, by kind.
_SUPPLEMENTS: Final = MappingProxyType(
    {"supplement": "ergaenzungsvermerk.xml", "supplement_seal": "ergaenzungsvermerk.p7s"}
)
_LONGEST_NAME: Final = 120
_SHORT: Final = 16
_MEANINGS: Final = MappingProxyType(
    {
        "beweis.json": "Um welches Dokument es geht und was fehlt, für pruefen.py",
        "ergaenzungsvermerk.html": "Der Ergänzungsvermerk zum Lesen",
        "ergaenzungsvermerk.p7s": "Das Siegel des Ergänzungsvermerks (CMS)",
        "ergaenzungsvermerk.xml": "Was die Prüfung in der Sachbearbeitung ergab",
        "evidence-record.er": "Beweisnachweis nach RFC 4998",
        "loeschprotokoll.json": "Was wann von wem und warum gelöscht wurde",
        "manifest.p7s": "Unterschrift unter die Dateiliste (CMS)",
        "manifest.sha256": "Prüfsummen aller Dateien",
        "nachweise": "Beweisnachweise für Tageswurzeln, Eingang, Abbilder, Ergänzungsvermerk",
        "original-eingang": "Die Bytes, wie sie eingegangen sind",
        "protokoll.jsonl": "Ereignisketten von Dokument und Stapel, mit Weg zur Tageswurzel",
        "pruefberichte": "Prüfung von Signatur und PDF/A, Kontrolle, Eingangsprüfung",
        "pruefen.py": "Das Prüfprogramm",
        "scanprodukt.pdf": "Das gesicherte Dokument, PDF/A-3b mit dem Vermerk darin",
        "scanvermerk.html": "Der Scanvermerk zum Lesen",
        "scanvermerk.xml": "Der Scanvermerk, wie er in der PDF steckt",
        "stapel": "Stapelprotokoll",
        "transfervermerk.html": "Der Transfervermerk zum Lesen",
        "transfervermerk.xml": "Der Transfervermerk, wie er in der PDF steckt",
        "verfahrensdokumentation": "Das angewandte Profil und die benutzten Programme",
        "vernichtung.json": "Wo das Papier liegt oder was aus ihm wurde",
        "zertifikate": "Zertifikate und Sperrauskünfte aus PDF und Zeitstempeln",
    }
)
_WHOLE: Final = (
    "Dieses Paket enthält ein gescanntes oder elektronisch eingegangenes Dokument mit allem, "
    "was seine Herkunft und Unversehrtheit belegt."
)
_ERASED: Final = (
    "Dieses Dokument ist gelöscht. Das Paket enthält, was davon bleibt: das Löschprotokoll und "
    "die Ereignisketten ohne ihre Inhalte."
)


def gather(known: Known, settings: Settings, store: Store, *, sealed_by: str | None) -> Pieces:
    """Return the files of a document's bundle, or of what is left of an erased one.

    Args:
        known: What the ledger knows.
        settings: Of this installation; of it only roots of trust and the house's zone count.
        store: Where its blobs are.
        sealed_by: Whose key will sign the list of files, None for nobody's; stands in the bundle,
            so that a signature taken away is missed.

    Raises:
        StoreUnavailable: The store is out of reach, or a blob is missing.
        DigestMismatch: A blob was altered.
    """
    pieces = Pieces()
    note = pdf = None
    if known.is_erased:
        pieces.add_json("loeschprotokoll.json", statements.deletion(known))
    else:
        note, pdf = _note(known, store, pieces), _pdf(known, pieces)
        _originals(known, pieces)
        statements.reports(known, pieces)
        _evidence(known, pieces)
    _signed(known, settings, store, pieces)
    pieces.add(statements.LOG, statements.log(known))
    pieces.add_json(f"stapel/{known.batch['id']}.json", statements.batch_record(known))
    _procedure(known, settings, pieces)
    paper = statements.paper(known)
    if paper is not None:
        pieces.add_json("vernichtung.json", paper)
    pieces.add(NAME, source())
    secured = [name for name in (note, pdf) if name]
    secured += [one.name for one in pieces.files if _is_original(known, one)]
    records: list[Facts] = [{"name": _RECORD, "files": sorted(secured), "pages": []}]
    records = [*(records if pieces.has(_RECORD) else []), *_witnessed(known, note, pieces)]
    subject: Facts = {
        "version": 1,
        "document": known.id,
        "batch": known.batch["id"],
        "erased": known.is_erased,
        "note": note,
        "pdf": pdf,
        "records": records,
        "absent": pieces.absent,
        "sealed_by": sealed_by,
    }
    pieces.add_json(_SUBJECT, subject)
    pieces.add(_README, _readme(known, settings, pieces, sealed=sealed_by is not None))
    return pieces


def _witnessed(known: Known, note: str | None, pieces: Pieces) -> Iterator[Facts]:
    """Add the records over days, arrivals and images; yield what each of the latter is over."""
    for day, encoded in sorted(known.days.items()):
        pieces.add(statements.day_record(day), encoded)
    for ordinal, encoded in sorted(known.receipts.items()):
        start = f"{_ORIGINALS}/{ordinal:03}-"
        files = [piece.name for piece in pieces.files if piece.name.startswith(start)]
        if files:
            name = f"nachweise/eingang-{ordinal:03}.er"
            pieces.add(name, encoded)
            yield {"name": name, "files": files, "pages": []}
    for kind, encoded in sorted(known.supplements.items()):
        file = _SUPPLEMENTS[kind]
        if pieces.has(file):
            name = f"nachweise/{file.replace('.', '-')}.er"
            pieces.add(name, encoded)
            yield {"name": name, "files": [file], "pages": []}
    for number, encoded in sorted(known.images.items()):
        if note is not None and not known.is_erased:
            name = f"nachweise/abbild-{number:05}.er"
            pieces.add(name, encoded)
            yield {"name": name, "files": [], "pages": [number]}


def _is_original(known: Known, piece: Piece) -> bool:
    """Tell whether a file is the original that the evidence record is over as well."""
    own = known.document["source_sha256"]
    return piece.blob is not None and piece.blob == own and piece.name.startswith(_ORIGINALS)


def _note(known: Known, store: Store, pieces: Pieces) -> str | None:
    made = known.document["outputs"].get("note")
    if made is None:
        pieces.lacks("Vermerk", "zu diesem Dokument gibt es (noch) keinen")
        return None
    with store.open(known.tenant, made["sha256"]) as stream:
        content = stream.read()
    name = _NOTES[b"<Transfervermerk" in content[:400]]
    pieces.add_blob(f"{name}.xml", made["sha256"])
    pieces.add(f"{name}.html", note_page(content))
    _supplement(known, store, pieces)
    for sha256, title in sorted(known.procedures.items()):
        if sha256.encode() in content:  # the note cites the texts by their digests
            pieces.add_blob(f"verfahrensdokumentation/{sha256[:_SHORT]}-{_bare(title)}", sha256)
    return f"{name}.xml"


def _supplement(known: Known, store: Store, pieces: Pieces) -> None:
    """Add what a clerk's result made of the note afterwards, with its detached seal."""
    outputs = known.document["outputs"]
    if "supplement" in outputs:
        with store.open(known.tenant, outputs["supplement"]["sha256"]) as stream:
            pieces.add("ergaenzungsvermerk.html", note_page(stream.read()))
    for kind, name in _SUPPLEMENTS.items():
        if kind in outputs:
            pieces.add_blob(name, outputs[kind]["sha256"])


def _pdf(known: Known, pieces: Pieces) -> str | None:
    made = known.document["outputs"].get("pdf")
    if made is None:
        reason = known.document["facts"].get("sealing", {}).get("reason")
        pieces.lacks(PDF, str(reason or "das Dokument ist (noch) nicht gesichert"))
        return None
    pieces.add_blob(PDF, made["sha256"])
    return PDF


def _originals(known: Known, pieces: Pieces) -> None:
    """Add the files as they came in, but none in which other people's documents lie as well."""
    for one in known.files:
        if one["ordinal"] not in known.own_sources:
            continue
        if one["ordinal"] in known.shared_sources:
            reason = "die Datei enthält auch andere Dokumente des Stapels"
            pieces.lacks(f"{_ORIGINALS}/{one['ordinal']:03}", reason)
        elif one["sha256"]:
            name = f"{_ORIGINALS}/{one['ordinal']:03}-{_bare(one['name'])}"
            pieces.add_blob(name, one["sha256"])


def _bare(name: str) -> str:
    """Return a file name that is harmless in every folder and list; its end is kept."""
    bare = PureWindowsPath(PurePosixPath(name).name).name
    safe = "".join(c if c.isalnum() or c in "._- " else "_" for c in bare).strip(". ")
    return safe.replace("..", "_")[-_LONGEST_NAME:].strip() or "datei"


def _evidence(known: Known, pieces: Pieces) -> None:
    if known.evidence is None:
        pieces.lacks(_RECORD, "das Dokument hat (noch) keinen Beweisnachweis")
    else:
        pieces.add(_RECORD, known.evidence)


def _signed(known: Known, settings: Settings, store: Store, pieces: Pieces) -> None:
    """Add certificates, and what this installation finds when it verifies the PDF."""
    sealing = settings.sealing
    issuers = sealing.token.issuers if sealing.token is not None else None
    own = settings.keys / CERTIFICATE_FILE
    roots = [path for path in (sealing.tsa_roots, issuers, own) if path and path.is_file()]
    with ExitStack() as opened:
        path = None
        if pieces.has(PDF):
            sha256 = str(known.document["outputs"]["pdf"]["sha256"])
            path = opened.enter_context(store.materialise(known.tenant, sha256))
            pieces.add_json("pruefberichte/siegel.json", _report(path, settings, issuers))
        others = (known.days, known.receipts, known.images, known.supplements)
        witnesses = [encoded for one in others for encoded in one.values()]
        records = [*witnesses, *([known.evidence] if known.evidence else [])]
        certificates.collect(pieces, path, records, roots)


def _report(path: Path, settings: Settings, issuers: Path | None) -> Facts:
    from workers.verification import verify_pdf

    own = settings.keys / CERTIFICATE_FILE
    trust = own if own.is_file() else None
    return verify_pdf(path, trust, settings.sealing.tsa_roots, seal_roots=issuers).facts()


def _procedure(known: Known, settings: Settings, pieces: Pieces) -> None:
    if known.profile is None:
        pieces.lacks("verfahrensdokumentation/profil.json", "das Profil ist nicht mehr bekannt")
    else:
        pieces.add_json("verfahrensdokumentation/profil.json", known.profile)
        _profile_file(known.profile, settings, pieces)
    pieces.add_json("verfahrensdokumentation/programme.json", statements.software(known))


def _profile_file(used: Facts, settings: Settings, pieces: Pieces) -> None:
    """Add the file itself where it is still the one that was used: its bytes have the digest."""
    name = "verfahrensdokumentation/profil.toml"
    try:
        loaded = profiles.load(used["name"], settings.profiles)
    except ProfileInvalid:
        loaded = None
    if loaded is None or loaded.sha256 != used["sha256"]:
        pieces.lacks(name, "diese Fassung der Datei ist nicht mehr da; profil.json sagt dasselbe")
    else:
        pieces.add(name, loaded.path.read_bytes())


def _moment(text: str | None, settings: Settings) -> str:
    if text is None:
        return NOT_RECORDED
    moment = dt.datetime.fromisoformat(text).astimezone(ZoneInfo(settings.house.zone))
    return moment.isoformat(sep=" ", timespec="seconds")


def _readme(known: Known, settings: Settings, pieces: Pieces, *, sealed: bool) -> bytes:
    document, batch = known.document, known.batch
    facts = [
        ("Dokument", known.id),
        ("Fassung", str(document["revision"])),
        ("Stapel", str(batch["id"])),
        ("Eingangsdatum", _moment(document["received_at"], settings)),
        ("Registriert am", _moment(document["registered_at"], settings)),
        ("Profil", f"{document['profile']}, {document['profile_sha256']}"),
    ]
    if known.is_erased:
        facts.append(("Gelöscht am", _moment(document["erased_at"], settings)))
    if document["superseded_by"]:
        facts.append(("Ersetzt durch", str(document["superseded_by"])))
    names = {MANIFEST, *([SEAL] if sealed else []), *(piece.name for piece in pieces.files)}
    tops = sorted({name.partition("/")[0] for name in names})
    return readme(
        facts,
        [(name, _MEANINGS[name]) for name in tops],
        pieces.absent,
        document=known.id,
        purpose=_ERASED if known.is_erased else _WHOLE,
        sealed=sealed,
        verifier=source(),
    )
