"""`sheets`: separator and cover sheets to print and lay between the letters of a stack."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.app import App, with_app
from ingest.cli.options import operator_option

#: What each option puts on the sheet.
_KEYS = {
    "document_class": "CLASS",
    "department": "DEP",
    "received_at": "REC",
    "case_reference": "CASE",
    "expected_sheets": "SHEETS",
    "operator": "OP",
    "device": "DEV",
    "storage_place": "LOC",
}
_MOST_COPIES = 1000


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="PDF-Datei; eine vorhandene wird nicht überschrieben.",
)
@click.option(
    "--profile",
    default="posteingang",
    show_default=True,
    help="Profil der Stapel, in denen die Blätter liegen werden.",
)
@click.option("--cover", is_flag=True, help="Deckblatt für genau ein Dokument.")
@click.option(
    "--class", "document_class", metavar="PROFIL", help="Dokumentklasse hinter dem Blatt."
)
@click.option("--department", help="Zuständige Stelle für den Brief hinter dem Blatt.")
@click.option("--received-at", metavar="DATUM", help="Eingangsdatum JJJJ-MM-TT.")
@click.option("--case-reference", help="Aktenzeichen.")
@click.option(
    "--expected-sheets", metavar="ZAHL", help="Blattzahl des Dokuments, ohne dieses Blatt."
)
@operator_option()
@click.option("--device", help="Scanner, z. B. Inventarnummer.")
@click.option("--storage-place", help="Aufbewahrungsort des Papiers.")
@click.option("--copies", type=click.IntRange(1, _MOST_COPIES), default=1, help="So viele Blätter.")
@click.option(
    "--number-from", type=click.IntRange(min=0), help="Blätter fortlaufend nummerieren, ab dieser."
)
@click.option(
    "--symbology",
    type=click.Choice(["qr", "datamatrix", "code128"]),
    default="qr",
    show_default=True,
    help="Art des Codes; code128 nur für kurze Angaben. Nur bei qr fällt ein unlesbarer Code auf.",
)
@with_app
def sheets(  # noqa: PLR0913 - one parameter per option of the command
    app: App,
    *,
    output: Path,
    profile: str,
    cover: bool,
    copies: int,
    number_from: int | None,
    symbology: str,
    **said: str | None,
) -> int:
    """Druckt Trennblätter und Deckblätter. Ohne weitere Angaben trennt ein Blatt nur."""
    from workers.separation.sheets import SheetTooLong, render_pdf

    if output.exists():
        message = f"{output} gibt es schon; bitte einen anderen Namen angeben."
        raise click.UsageError(message)
    fields = {key: value for name, key in _KEYS.items() if (value := said[name])}
    _refuse_misunderstood(app, profile, fields)
    numbered = range(copies) if number_from is None else range(number_from, number_from + copies)
    printed = [fields if number_from is None else {**fields, "NO": str(no)} for no in numbered]
    try:
        content = render_pdf(
            *printed, symbology=symbology, title="DECKBLATT" if cover else "TRENNBLATT"
        )
    except SheetTooLong as error:
        message = (
            f"Die Angaben passen nicht in einen Code der Art {symbology}. Bitte kürzen oder mit"
            " --symbology qr drucken."
        )
        raise click.UsageError(message) from error
    output.write_bytes(content)
    pages = "1 Blatt" if copies == 1 else f"{copies} Blätter"
    click.echo(f"{output} geschrieben, {pages}. Bitte in Originalgröße (100 %) drucken.")
    return 0


def _refuse_misunderstood(app: App, profile: str, fields: dict[str, str]) -> None:
    """Refuse to print what a stack of `profile` would not separate at or would be held for."""
    import profiles
    from profiles import is_department
    from workers.separation import statements

    house = app.settings.profiles
    rules = profiles.load_released(profile, house).profile.separation
    if not (rules.enabled and "sheet" in rules.by):
        message = (
            f"--profile: „{profile}“ trennt nicht an Trennblättern; bitte ein anderes Profil"
            ' angeben oder dort separation.by um "sheet" ergänzen.'
        )
        raise click.UsageError(message)
    rules = rules.model_copy(update={"classes": (*rules.classes, profile)})
    for problem in statements.problems_of(
        fields, rules, lambda name: statements.class_problem(name, house)
    ):
        raise click.UsageError(f"--{_option(problem.key)}: {problem.text}")
    if "DEP" in fields and not is_department(fields["DEP"]):
        message = f"--department: „{fields['DEP']}“ ist als Name einer Stelle nicht zulässig."
        raise click.UsageError(message)


def _option(key: str) -> str:
    named = {key: name.replace("_", "-") for name, key in _KEYS.items()}
    return {**named, "CLASS": "class"}[key]
