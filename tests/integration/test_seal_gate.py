"""No seal of a replacing scan without its whole note: judged by the bytes, whatever facts say."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

from ingest.document import Assignment, RenditionKind
from ingest.errors import NoteIncomplete
from tests.plugins.letters import Desk, of
from tests.plugins.transfers import VERDICT, by_clerk, noted, replacing, rewritten, sampled
from tests.plugins.transfers import with_own_key as simple
from workers import sealing


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def ready(desk: Desk) -> Assignment:
    return noted(desk, simple(replacing(desk)))


def refusal(desk: Desk, assignment: Assignment) -> str:
    with pytest.raises(NoteIncomplete) as caught:
        sealing.perform(assignment, desk.context())
    return caught.value.operator_text


def test_a_whole_note_is_sealed(desk: Desk, ready: Assignment) -> None:
    (made,) = sealing.perform(ready, desk.context()).renditions
    assert made.kind is RenditionKind.PDF


def test_note_removed(desk: Desk, ready: Assignment) -> None:
    document = of(ready)
    whole = desk.context().read(document.renditions[RenditionKind.NOTED].sha256)
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        del pdf.attachments["transfervermerk.xml"]
        stream = io.BytesIO()
        pdf.save(stream)
    bare = desk.rendition(RenditionKind.NOTED, stream.getvalue(), "application/pdf")
    renditions = {**document.renditions, RenditionKind.NOTED: bare}
    without = dataclasses.replace(document, renditions=renditions)
    text = refusal(desk, dataclasses.replace(ready, document=without))
    assert "Die PDF enthält keinen Transfervermerk" in text


def test_no_note_at_all_and_no_pdf(desk: Desk, ready: Assignment) -> None:
    for gone in ((RenditionKind.NOTED,), (RenditionKind.NOTED, RenditionKind.NOTE)):
        kept = {kind: one for kind, one in of(ready).renditions.items() if kind not in gone}
        document = dataclasses.replace(of(ready), renditions=kept)
        assert refusal(desk, dataclasses.replace(ready, document=document))


def _set(tag: str, value: str) -> Callable[[str], str]:
    def change(note: str) -> str:
        before, _, rest = note.partition(f"<{tag}>")
        return f"{before}<{tag}>{value}</{tag}>{rest.partition(f'</{tag}>')[2]}"

    return change


def _drop(tag: str) -> Callable[[str], str]:
    def change(note: str) -> str:
        before, _, rest = note.partition(f"<{tag}>")
        return before + rest.partition(f"</{tag}>")[2]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop("Ersteller"), "Schema"),
        (_set("Geraet", "nicht erfasst"), "Erfassungssystem/Geraet fehlt"),
        (_set("Eingangsdatum", "nicht erfasst"), "Eingang/Eingangsdatum fehlt"),
        (_set("Seiten", "2"), "nicht gleich viele"),
        (_set("GescannteAbbilder", "keine"), "Schema"),
        (_set("Erklaerung", "nicht erfasst"), "Uebereinstimmung/Erklaerung fehlt"),
        (_set("Behandlung", "kopierend"), "Behandlung und inhaltliche"),
        (_set("Ergebnis", "noch nicht bestätigt"), "Ergebnis der Prüfung widersprechen"),
        (_set("Grundlage", "dieses Dokument geprüft"), "die nicht stattfand"),
        (_set("Angesehen", "ja"), "die nicht stattfand"),
        (_set("Nachgescannt", "3"), "nachgescannten Abbilder"),
        (_set("Abgleich", "nicht gezählt"), "Abgleich widersprechen"),
        (_set("PdfVorVermerk", "0" * 64), "andere PDF"),
        (_set("Fassung", "7"), "gehört zu Fassung 7"),
        (lambda note: note.replace("<Vermerk>", "<Vermerk>&x;", 1), "kein lesbares XML"),
    ],
)
def test_note_altered(
    desk: Desk, ready: Assignment, change: Callable[[str], str], said: str
) -> None:
    assert said in refusal(desk, rewritten(desk, ready, change))


def test_organisation_as_creator(desk: Desk, ready: Assignment) -> None:
    assert "Ersteller ist die Organisation" in refusal(
        desk, rewritten(desk, ready, _set("Name", "PS 07"))
    )


def test_count_mismatch(desk: Desk, ready: Assignment) -> None:
    def more(note: str) -> str:
        image = note[note.index("    <Abbild ") :].partition("\n")[0]
        return note.replace(image, f"{image}\n{image}", 1)

    assert "nicht gleich viele" in refusal(desk, rewritten(desk, ready, more))


def test_missing_received_date(desk: Desk, ready: Assignment) -> None:
    change = _set("Eingangsdatum", "")
    assert "Schema" in refusal(desk, rewritten(desk, ready, change))


def test_a_note_of_another_document_opens_nothing(desk: Desk, ready: Assignment) -> None:
    other = noted(desk, simple(replacing(desk)))
    renditions = {**of(ready).renditions}
    for kind in (RenditionKind.NOTE, RenditionKind.NOTED):
        renditions[kind] = of(other).renditions[kind]
    document = dataclasses.replace(of(ready), renditions=renditions)
    text = refusal(desk, dataclasses.replace(ready, document=document))
    assert f"gehört zu Dokument {of(other).id}" in text


def test_the_kept_note_and_the_one_inside_are_the_same(desk: Desk, ready: Assignment) -> None:
    altered = rewritten(desk, ready, lambda note: note.replace("Regal 3", "Regal 4"), inside=False)
    assert "nicht der aufbewahrte" in refusal(desk, altered)


def test_more_pages_than_the_note_counts_are_not_sealed(desk: Desk, ready: Assignment) -> None:
    document = of(ready)
    whole = desk.context().read(document.renditions[RenditionKind.NOTED].sha256)
    with pikepdf.open(io.BytesIO(whole)) as pdf:
        pdf.add_blank_page()
        stream = io.BytesIO()
        pdf.save(stream)
    longer = desk.rendition(RenditionKind.NOTED, stream.getvalue(), "application/pdf")
    renditions = {**document.renditions, RenditionKind.NOTED: longer}
    text = refusal(
        desk,
        dataclasses.replace(ready, document=dataclasses.replace(document, renditions=renditions)),
    )
    assert "Die PDF hat 2 Seiten, der Vermerk 1" in text


def test_a_page_tampered_between_capture_and_note_is_noticed(desk: Desk, ready: Assignment) -> None:
    pages = (dataclasses.replace(ready.pages[0], sha256="9" * 64),)
    assert "andere Abbilder" in refusal(desk, dataclasses.replace(ready, pages=pages))


def test_a_claim_that_the_check_does_not_bear_is_not_sealed(desk: Desk, ready: Assignment) -> None:
    undone = dataclasses.replace(ready, quality=by_clerk())
    assert "die nicht bestätigt ist" in refusal(desk, undone)
    looked = dataclasses.replace(ready, quality=sampled(selected=True, verdict=VERDICT))
    assert "sagen über die Prüfung Anderes" in refusal(desk, looked)


def test_a_scanvermerk_does_not_stand_in_for_the_transfer_note(desk: Desk) -> None:
    assignment = simple(replacing(desk))
    copying = dataclasses.replace(
        assignment, profile={**assignment.profile, "treatment": "copying"}
    )
    claimed = dataclasses.replace(noted(desk, copying), profile=assignment.profile)
    assert "nur einen Scanvermerk" in refusal(desk, claimed)


def test_a_document_that_awaits_its_clerk_is_sealed(desk: Desk, tmp_path: Path) -> None:
    pending = noted(desk, simple(replacing(desk, by_clerk())))
    assert sealing.perform(pending, desk.context()).facts["level"] == "B-B"


def test_a_sample_at_which_nobody_looked_seals_no_match(desk: Desk, ready: Assignment) -> None:
    unseen = dataclasses.replace(ready, quality=sampled(checked_by=[]))
    assert refusal(desk, unseen)
