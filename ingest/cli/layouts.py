"""What is made only when somebody asks for it: layouts of pages, notes as people read them."""

from __future__ import annotations

from pathlib import Path

from ingest.cli.app import App


def write_alto(app: App, identifier: str, output: Path) -> None:
    """Write the ALTO file of a document to `output`, which must not exist.

    Raises:
        UsageError: There is no such document, or it has no pages; nothing was written.
    """
    from ingest.ledger.wording import worded_pages
    from workers.recognition import words
    from workers.recognition.alto import LaidPage, alto

    with app.ledger.reading() as connection:
        tenant, pages = worded_pages(connection, identifier)

    def read(digest: str | None) -> words.Words | None:
        if digest is None:
            return None
        with app.store.open(tenant, digest) as stream:
            return words.from_json(stream.read())

    laid = (
        LaidPage(
            number=number, image=page.sha256, words=read(page.words_sha256), engine=page.engine
        )
        for number, page in enumerate(pages, 1)
    )
    content = alto(laid)
    with output.open("xb") as target:
        target.write(content)


def write_note(app: App, identifier: str, output: Path) -> None:
    """Write the note of a document as a page of HTML to `output`, which must not exist.

    Raises:
        UsageError: There is no such document, or it has no note yet; nothing was written.
    """
    from ingest.ledger.showing import locate
    from workers.note.reading import html

    with app.ledger.reading() as connection:
        found = locate(connection, identifier, "note")
    with app.store.open(found.tenant, found.sha256) as stream:
        content = html(stream.read())
    with output.open("xb") as target:
        target.write(content)
