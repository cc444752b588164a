"""The parts of a bundle by themselves: the joined verifier, what may go out, names, pages."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.ledger.chains import event_digest, payload_digest
from ingest.ledger.columns import canonical, from_microseconds
from ingest.ledger.excerpts import _path, _rows
from ingest.ledger.integrity import Head, leaf_of, merkle_root
from workers.evidence.bundle.disclosure import names_place, shown
from workers.evidence.bundle.gathering import _bare
from workers.evidence.bundle.verifier import PARTS, _text, source
from workers.evidence.offline import history, notes, portable

PAYLOADS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def tops(tree: ast.Module) -> Iterator[str]:
    """Yield every name that stands at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    yield part.id


def test_the_verifier_is_one_plain_file_for_python_3_9() -> None:
    tree = ast.parse(source(), feature_version=(3, 9))
    assert [name for name, times in Counter(tops(tree)).items() if times > 1] == []
    wanted = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.partition(".")[0] for name in wanted} <= sys.stdlib_module_names
    assert "workers" not in {name.partition(".")[0] for name in wanted}
    source.cache_clear()
    assert ast.dump(ast.parse(source())) == ast.dump(tree)


def test_every_part_uses_only_what_stands_before_it() -> None:
    for at, part in enumerate(PARTS):
        tree = ast.parse(_text(part))
        used = {
            str(node.module)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("workers.")
        }
        assert used <= set(PARTS[:at]), part


@settings(max_examples=50)
@given(st.lists(st.integers(1, 99), min_size=1, max_size=40), st.data())
def test_every_chain_finds_its_way_to_the_root_of_the_day(
    lengths: list[int], data: st.DataObject
) -> None:
    heads = [
        Head(f"{n:04}", length, hashlib.sha256(b"%d" % n).hexdigest())
        for n, length in enumerate(lengths)
    ]
    rows = _rows([hashlib.sha256(b"\x00" + leaf_of(head)).digest() for head in heads])
    place = data.draw(st.integers(0, len(heads) - 1))
    head, path = heads[place], list(_path(rows, place))
    anchor: dict[str, object] = {"chain": head.chain, "length": head.length, "head": head.digest}
    anchor |= {"index": place, "heads": len(heads), "path": path}
    root = merkle_root(leaf_of(one) for one in heads)
    assert history.root_from(anchor) == root
    assert history.root_from({**anchor, "length": head.length + 1}) != root
    with pytest.raises(ValueError, match="Weg ist zu"):
        history.root_from({**anchor, "path": [*path, "00" * 32]})
    if path:
        with pytest.raises(ValueError, match="Weg ist zu"):
            history.root_from({**anchor, "path": path[1:]})


@settings(max_examples=50)
@given(st.dictionaries(st.text(), PAYLOADS, max_size=4), st.integers(0, 2**52), st.text(max_size=9))
def test_an_event_that_the_ledger_wrote_is_read_as_whole_and_no_other(
    payload: dict[str, object], at: int, actor: str
) -> None:
    told = json.loads(canonical(payload))
    moment = from_microseconds(at)
    salt = "00" * 16
    fields = {"chain": "c", "seq": 1, "kind": "noted", "at": moment, "actor": actor}
    said = {"payload_digest": payload_digest(salt, payload), "previous": history.GENESIS}
    digest = event_digest(**fields, **said)  # type: ignore[arg-type] # the fields of an event
    event: dict[str, object] = {
        **fields,
        **said,
        "at": moment.isoformat(),
        "at_microseconds": at,
        "digest": digest,
    }
    event |= {"message_type": "event", "salt": salt, "payload": told}
    whole: dict[str, object] = {"message_type": "chain", "chain": "c", "unit_kind": "document"}
    whole |= {"length": 1, "head": digest}

    def problems(event: dict[str, object]) -> list[str]:
        text = "\n".join(map(json.dumps, (whole, event)))
        return history.read_log(text)["c"].problems

    assert problems(event) == []
    assert problems({**event, "actor": f"{actor}x"}) != []
    assert problems({**event, "payload": {**told, "": "x"}}) != [] or told.get("") == "x"
    assert problems({**event, "salt": None, "payload": None}) != []
    assert problems({**event, "salt": None, "payload": None, "withheld": "gelöscht"}) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Datei /var/lib/scanstrasse/store fehlt", True),
        ('File "/srv/app/ingest/pipeline.py", line 3', True),
        (r"C:\Scans\brief.pdf", True),
        (r"\\server\freigabe", True),
        ("connection to 10.1.2.3 refused", True),
        ("http://tsa.example/", True),
        ("pdfium 159.0.8149.0", False),
        ("scanstrasse 0.1.0 inspection/1", False),
        ("Aktenzeichen BA/2026/815", False),
        ("Seite 3: Abschnitt 1.2.3 von 12.03.2026", False),
    ],
)
def test_folders_machines_and_addresses_are_recognised(text: str, place: bool) -> None:
    assert names_place({"said": ["Stand", text]}) is place


@pytest.mark.parametrize(
    ("kind", "payload", "shared", "withheld"),
    [
        ("received", {"sources": [{"name": "eigene.pdf"}]}, True, None),
        ("received", {"sources": [{"name": "fremde.pdf"}]}, True, "kann andere"),
        ("held", {"operator_text": "Bitte Seitenzahl prüfen"}, True, "kann andere"),
        ("held", {"operator_text": "Bitte Seitenzahl prüfen"}, False, None),
        ("held", {"message": "no space at /var/lib/x/"}, False, "Technik"),
        ("deferred_for_retry", {"message": "db01 is away"}, False, "Technik"),
    ],
)
def test_a_payload_goes_out_whole_or_with_a_reason(
    kind: str, payload: dict[str, object], shared: bool, withheld: str | None
) -> None:
    event = {"kind": kind, "salt": "00", "payload": payload}
    seen = shown(event, shared=shared, foreign=["fremde.pdf"])
    if withheld is None:
        assert (seen["payload"], seen["salt"]) == (payload, "00")
        assert "withheld" not in seen
    else:
        assert (seen["payload"], seen["salt"]) == (None, None)
        assert withheld in seen["withheld"]
    erased = shown({"kind": kind, "salt": None, "payload": None}, shared=shared, foreign=[])
    assert erased["withheld"] == "gelöscht"


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_no_file_name_leaves_its_folder_or_breaks_the_list(name: str) -> None:
    bare = _bare(name)
    assert bare
    assert not set(bare) & set("/\\\n\r\0:")
    assert bare == bare.strip()
    assert not bare.startswith(".")
    assert ".." not in bare
    assert _bare(name) == bare


def test_each_kind_of_note_names_its_profile_and_a_transfer_note_its_procedure() -> None:
    head = '<?xml version="1.0" encoding="utf-8"?>\n<{0} xmlns="urn:x"><Scanprodukt><Kennung>d'
    head += "</Kennung></Scanprodukt><Stapel><Kennung>b</Kennung></Stapel>"
    tail = "<Pruefsummen><Abbild nummer='3'>aa</Abbild><PdfVorVermerk>vv</PdfVorVermerk>"
    tail += "<PdfVorSiegel>vs</PdfVorSiegel></Pruefsummen></{0}>"
    procedure = f"<Verfahren><Sha256>{'c' * 64}</Sha256><AnlageSha256>nicht erfasst</AnlageSha256>"
    settings = "<Einstellungen><Profil><Sha256>p</Sha256></Profil></Einstellungen>"
    copied = notes.read_note(
        (head + "<Verfahren><Sha256>p</Sha256></Verfahren>" + tail).format("Scanvermerk").encode()
    )
    moved = notes.read_note(
        (head + procedure + "</Verfahren>" + settings + tail).format("Transfervermerk").encode()
    )
    assert (copied.profile, copied.procedures) == ("p", {})
    assert (moved.profile, moved.procedures) == ("p", {"Verfahrensdokumentation": "c" * 64})
    assert (copied.pages, moved.document, moved.batch) == ({"3": "aa"}, "d", "b")
    assert (moved.composed, moved.unsealed) == ("vv", "vs")
    with pytest.raises(ValueError, match="kein Vermerk"):
        notes.read_note((head + tail).format("Ergaenzungsvermerk").encode())


@pytest.mark.parametrize("end", [b"%%EOF", b"%%EOF\n", b"%%EOF\r\n"])
def test_a_file_before_its_seal_is_found_by_its_digest(end: bytes) -> None:
    first = b"%PDF-1.7 one " + end
    whole = first + b" two %%EOF\n"
    for content in (first, whole):
        assert portable.has_revision(content, hashlib.sha256(content).hexdigest())
    assert portable.has_revision(whole, hashlib.sha256(first).hexdigest())
    assert portable.has_revision(first + b"\n", hashlib.sha256(first).hexdigest())
    assert not portable.has_revision(b"x" + whole, hashlib.sha256(first).hexdigest())


def test_hostile_bytes_are_no_signature_and_no_attachment() -> None:
    contents = (
        b"",
        b"/ByteRange [0 5 9 999999]",
        b"/ByteRange [0 20 30 5] <00112233445566778899>      ",
        b"/ByteRange[1 2 3 4]",
        b"1 0 obj <</Type /EmbeddedFile /Length 9>> stream\nxx",
        b"/Type /EmbeddedFile",
    )
    for content in contents:
        assert all(isinstance(found, str) for _, found in portable.signatures(content))
        assert list(portable.attached_files(content)) in ([], [None], [b"xx"])
