"""What a separator sheet says about the document behind it, and whether that can hold.

A statement that cannot hold (no date, a class that the profile does not allow) is never
dropped in silence, because somebody printed it to be obeyed: the stack is held, and only a
person lets the document go on without it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import profiles
from ingest import clock
from ingest.document import Batch, Facts, is_operator_code
from ingest.errors import ProfileInvalid, SheetInvalid
from profiles.model import SeparationRules
from workers.separation.evidence import Separator, names, separator_on
from workers.separation.laying import Run

#: Says what is wrong with a profile as class of a document, in German; None if nothing is.
ClassCheck = Callable[[str], str | None]
#: What a sheet's payload says about the document behind it.
_HINTS: Final = {
    "CLASS": "profile",
    "DEP": "department",
    "REC": "received_at",
    "CASE": "case_reference",
    "SHEETS": "expected_sheets",
    "OP": "operator",
    "DEV": "device",
    "LOC": "storage_place",
}
_COUNT: Final = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A statement that cannot hold: `key` of the payload, German `text`."""

    key: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the sheet on one page says.

    Attributes:
        hints: What holds, by the names that later steps know.
        problems: What does not hold.
    """

    page: int
    hints: Facts
    problems: tuple[Problem, ...] = ()


def class_problem(name: str, house: Path | None) -> str | None:
    """Say in German why `name` is no class of the house, None if it is one."""
    try:
        profiles.load_released(name, house)
    except ProfileInvalid as error:
        return error.operator_text
    return None


def read(found: Sequence[Run], class_check: ClassCheck) -> dict[int, Statement]:
    """Return what every separator sheet says, by page number."""
    said: dict[int, Statement] = {}
    for run in found:
        for page in run.pages:
            separator = separator_on(page, run.rules)
            if separator is not None:
                said[page.number] = _statement(page.number, separator, run.rules, class_check)
    return said


def check(batch: Batch, statements: Iterable[Statement]) -> None:
    """Hold the stack where a sheet says what cannot hold.

    Raises:
        SheetInvalid: Names page, field and what is wrong, for all sheets at once.
    """
    wrong = [
        f"Seite {statement.page}: {problem.text}"
        for statement in statements
        for problem in statement.problems
    ]
    if wrong:
        raise SheetInvalid(
            f"separator sheets say what cannot hold: {len(wrong)} statements",
            operator_text=(
                f"{names(batch)}: Angaben auf Trennblättern gelten nicht. {' '.join(wrong[:20])}"
                " Bitte mit richtigem Blatt erneut scannen und diesen Stapel zurückweisen, oder"
                " mit 'sheet=ignored' freigeben: dann trennen die Blätter, diese Angaben"
                " bleiben unbeachtet."
            ),
        )


def _statement(
    number: int, separator: Separator, rules: SeparationRules, class_check: ClassCheck
) -> Statement:
    payload = dict(separator.payload)
    said = {**({"CLASS": separator.profile} if separator.profile else {}), **payload}
    problems = tuple(problems_of(said, rules, class_check, switched=separator.profile))
    if separator.code_lost:
        text = "Die Streifen trennen, der Code des Blatts ist nicht lesbar; was er sagt, fehlt."
        problems = (Problem(key="", text=text), *problems)
    anomalies = [_refused(number, problem) for problem in problems]
    if payload.get("OP") and not is_operator_code(payload["OP"]):
        text = "Trennblatt nennt kein Kürzel der scannenden Person; die Angabe ist nicht übernommen"
        anomalies.append({"code": "operator_refused", "page": number, "text": text})
        del said["OP"], payload["OP"]
    for problem in problems:
        said.pop(problem.key, None)
        payload.pop(problem.key, None)
    hints: Facts = {name: said[key] for key, name in _HINTS.items() if said.get(key)}
    if "expected_sheets" in hints:
        hints["expected_sheets"] = int(hints["expected_sheets"])
    if payload:
        hints["sheet"] = payload
    if anomalies:
        hints["anomalies"] = anomalies
    return Statement(page=number, hints=hints, problems=problems)


def _refused(number: int, problem: Problem) -> Facts:
    text = f"Angabe des Trennblatts nicht übernommen: {problem.text}"
    return {"code": "sheet_refused", "page": number, "text": text}


def problems_of(
    said: Mapping[str, str],
    rules: SeparationRules,
    class_check: ClassCheck,
    *,
    switched: str | None = None,
) -> Iterator[Problem]:
    """Yield what cannot hold of a sheet's payload.

    Args:
        said: The payload.
        rules: Those of the stack the sheet lies in.
        class_check: Asked about a class that the rules allow.
        switched: The profile a patch code switches to; the rules themselves name it.
    """
    if (received := said.get("REC")) and (wrong := _wrong_date(received)):
        yield Problem(key="REC", text=f"Eingangsdatum „{_shown(received)}“ {wrong}.")
    if (sheets := said.get("SHEETS")) and not _COUNT.fullmatch(sheets):
        yield Problem(key="SHEETS", text=f"Blattzahl „{_shown(sheets)}“ ist keine ganze Zahl.")
    if wanted := said.get("CLASS"):
        listed = ", ".join(rules.classes) or "keine"
        if wanted != switched and wanted not in rules.classes:
            text = (
                f"Klasse „{_shown(wanted)}“ lässt dieses Profil nicht zu"
                f" (separation.classes: {listed})."
            )
            yield Problem(key="CLASS", text=text)
        elif problem := class_check(wanted):
            yield Problem(key="CLASS", text=f"Klasse „{_shown(wanted)}“: {problem}")


def _wrong_date(text: str) -> str | None:
    """Say what is wrong with a date of receipt, None if it can be one."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return "ist kein Datum JJJJ-MM-TT"
    if not dt.MINYEAR < moment.year < dt.MAXYEAR:
        return "liegt außerhalb des Kalenders"
    aware = moment if moment.tzinfo else moment.replace(tzinfo=clock.UTC)
    return "liegt in der Zukunft" if clock.lies_ahead(aware) else None


def _shown(text: str) -> str:
    """Return what a sheet says for a message: short, and without control characters."""
    return re.sub(r"[^\w .,:/-]", "?", text)[:60]
