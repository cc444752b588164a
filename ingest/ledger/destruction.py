"""Releasing paper for destruction, and destroying it: two acts of two persons.

Whoever releases is entrusted with it and did not scan the document; whoever destroys is
entrusted with that and did not release (TR-03138 V1.5 A.O.1e–g; V 3.1.1.6); an erased
document's was erased by neither of them. Persons are resolved from codes in the transaction of the
act. All conditions (`ingest.ledger.conditions`) are asked at release and again at destruction,
where in addition the release must have been for the revision that is there now. There is no
other way to either stage but for a batch's loose sheets, which go with its last document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from ingest.document import DIN_66399, PAPER_ENDS, REST, Facts, PaperStage, Role
from ingest.errors import UsageError
from ingest.ledger import people, schema
from ingest.ledger.circumstances import Checked, gather
from ingest.ledger.conditions import Circumstances, Condition, conditions_of, missing
from ingest.ledger.paperunits import follow, locked, move, named, open_holds, tell
from ingest.ledger.persons import require_code

Row = sa.Row[Any]
_unit = schema.paper_unit
CERTIFIED: Final = "certified"
_SCANNED: Final = "Scannen"
_RELEASED: Final = "Freigabe der Vernichtung"
_EXECUTED: Final = "Durchführung der Vernichtung"
_ERASED: Final = "Löschen des Dokuments"


@dataclass(frozen=True, kw_only=True)
class Means:
    """How paper is destroyed.

    Attributes:
        method: In words, such as „Aktenvernichter im Haus“ or the provider's name.
        level: Class of protection and security level of DIN 66399-1, such as `3/P-5`.
        certificate: Reference of the provider's certificate; None where it is not there yet.
    """

    method: str
    level: str
    certificate: str | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The paper of a document under its conditions.

    Attributes:
        document: Newest revision, or the batch where it is of no document.
        answers: Each condition with what is missing, None where it holds.
    """

    unit: Row
    document: str
    answers: tuple[tuple[Condition, str | None], ...]

    @property
    def free(self) -> bool:
        """Whether every condition holds."""
        return bool(self.answers) and all(text is None for _, text in self.answers)


def judged(connection: sa.Connection, unit: Row, wanted: PaperStage, checked: Checked) -> Judged:
    """Return which conditions hold; what is of no document has none and waits for the others."""
    case = gather(connection, unit, wanted, checked)
    answers = () if case is None else tuple((c, c.missing(case)) for c in conditions_of(case))
    return Judged(unit=unit, document=named(connection, unit), answers=answers)


def release(
    connection: sa.Connection, ids: Sequence[str], *, by: str, checked: Checked
) -> list[str]:
    """Release the paper of documents for destruction, of all or of none.

    Args:
        connection: In a writing transaction.
        ids: Of documents; a batch stands for each of its documents.
        by: A person who releases paper and scanned none of it.
        checked: What was found out just before; a document without proof is refused.

    Returns:
        The documents.

    Raises:
        UsageError: `by` may not, or a condition does not hold; the text names all that is
            missing. Nothing changed.
    """
    require_code(by, _RELEASED)
    done = []
    units, _ = _units(connection, ids)
    if not units:
        raise _nothing()
    for unit in units:
        people.require_role(connection, unit.tenant, by, Role.RELEASER)
        case = _free(connection, unit, PaperStage.STORED, checked)
        people.require_apart(connection, unit.tenant, {_RELEASED: by}, done=_earlier(case))
        said = {"document": case.document, "place": unit.place}
        said["conditions"] = [condition.name for condition in conditions_of(case)]
        values = {"released_document": case.document, "released_by": by}
        move(connection, unit, PaperStage.RELEASED, by, said, **values)
        done.append(str(case.document))
    return done


def destroy(
    connection: sa.Connection, ids: Sequence[str], *, by: str, means: Means, checked: Checked
) -> list[str]:
    """Record the destruction of released paper, of all or of nothing.

    It is called before the sheets are given away: what no longer may go is refused. With the
    last paper of a batch's documents go the sheets that belong to none of them.

    Args:
        connection: In a writing transaction.
        ids: Of documents; a batch stands for each of its documents.
        by: A person who destroys paper and did not release it.
        means: How.
        checked: As for `release`.

    Returns:
        The documents, and each batch whose loose sheets went with the last of them.

    Raises:
        UsageError: `by` may not, it was not released, or a condition does not hold any more.
            Nothing changed.
    """
    require_code(by, _EXECUTED)
    said, done = _means(means), []
    units, batches = _units(connection, ids)
    for unit in units:
        people.require_role(connection, unit.tenant, by, Role.DESTROYER)
        case = _free(connection, unit, PaperStage.RELEASED, checked)
        if unit.released_document != case.document:
            text = f"Dokument {case.document}: Freigegeben war eine frühere Fassung."
            raise UsageError(f"{case.document} was not released", operator_text=text)
        earlier = {_RELEASED: unit.released_by, **_numbered(_ERASED, case.erased_by)}
        people.require_apart(connection, unit.tenant, {_EXECUTED: by}, done=earlier)
        told = {"document": case.document, "place": unit.place, **said}
        move(connection, unit, PaperStage.DESTROYED, by, told, destruction=said)
        done.append(str(case.document))
    for batch_id in sorted(batches | {unit.batch_id for unit in units}):
        done += _destroy_rest(connection, batch_id, by, said)
    if not done:
        raise _nothing()
    return done


def certify(connection: sa.Connection, id_: str, *, by: str, certificate: str) -> int:
    """Add the reference of the provider's certificate to paper destroyed before.

    Returns:
        How many units now name it.

    Raises:
        UsageError: Nothing of it was destroyed, or it names a certificate already.
    """
    require_code(by, "Vernichtungsnachweis")
    changed = 0
    for unit in locked(connection, id_).rows:
        told = unit.destruction or {}
        if unit.stage == PaperStage.DESTROYED and told.get("certificate") is None:
            values = {"destruction": {**told, "certificate": certificate}}
            connection.execute(sa.update(_unit).where(_unit.c.id == unit.id).values(values))
            tell(connection, unit, CERTIFIED, {"certificate": certificate}, by)
            changed += 1
    if not changed:
        text = f"{id_}: nicht vernichtet, oder der Nachweis des Dienstleisters steht schon da."
        raise UsageError(f"nothing of {id_} lacks a certificate", operator_text=text)
    return changed


def _units(connection: sa.Connection, ids: Sequence[str]) -> tuple[list[Row], set[str]]:
    """Return the locked units of documents, each once, and the batches named as a whole."""
    found: dict[str, Row] = {}
    batches = set()
    for id_ in sorted(ids):
        papers = locked(connection, id_)
        here = [row for row in papers.rows if row.stage not in PAPER_ENDS or not papers.whole]
        found |= {row.id: row for row in here if row.ordinal != REST}
        batches |= {papers.batch.id} if papers.whole else set()
    return list(found.values()), batches


def _nothing() -> UsageError:
    text = "Es ist kein Dokument genannt, oder von keinem ist noch Papier da."
    return UsageError("no paper named", operator_text=text)


def _free(
    connection: sa.Connection, unit: Row, wanted: PaperStage, checked: Checked
) -> Circumstances:
    case = gather(connection, unit, wanted, checked)
    if case is None:
        message = f"paper {unit.id} of no document was to be released"
        raise ValueError(message)
    lacking = [text for _, text in missing(case)]
    if lacking:
        text = f"Papier von Dokument {case.document} darf nicht fort: {' '.join(lacking)}"
        raise UsageError(f"conditions of {case.document} do not hold", operator_text=text)
    return case


def _earlier(case: Circumstances) -> dict[str, str]:
    """Return who must be somebody else than the releasing person."""
    scanned = [code for code in case.scanned_by if code is not None]
    return {**_numbered(_ERASED, case.erased_by), **_numbered(_SCANNED, scanned)}


def _numbered(act: str, codes: Sequence[str]) -> dict[str, str]:
    return {f"{act} {n}" if n else act: code for n, code in enumerate(codes)}


def _means(means: Means) -> Facts:
    if means.level not in DIN_66399:
        text = f"„{means.level}“ ist keine Stufe nach DIN 66399, zum Beispiel 3/P-5."
        raise UsageError(f"no DIN 66399 level: {means.level}", operator_text=text)
    if not means.method.strip():
        text = "Vernichtung: Es fehlt die Angabe --method (Verfahren)."
        raise UsageError("no method of destruction", operator_text=text)
    return {"method": means.method, "level": means.level, "certificate": means.certificate}


def _destroy_rest(connection: sa.Connection, batch_id: str, by: str, said: Facts) -> list[str]:
    """Destroy the loose sheets of a batch once nothing else of it is here and nothing holds.

    They go under the last release of the batch's documents, and by another person than gave it.

    Returns:
        The batch, where they went.
    """
    rows = locked(connection, batch_id).rows
    rest = next(row for row in rows if row.ordinal == REST)
    here = any(row.stage not in PAPER_ENDS for row in rows if row.ordinal != REST)
    releases = sorted((row for row in rows if row.released_by), key=lambda row: row.changed_at)
    held = open_holds(connection, rest.id)
    if here or held or not releases or rest.stage != PaperStage.STORED:
        return []
    releaser = releases[-1].released_by
    people.require_role(connection, rest.tenant, by, Role.DESTROYER)
    people.require_apart(connection, rest.tenant, {_EXECUTED: by}, done={_RELEASED: releaser})
    under = [row.released_document for row in releases if row.released_by == releaser]
    told = {"batch": batch_id, "place": rest.place, "under": under, "released_by": releaser}
    follow(connection, rest, by, {**told, **said}, said)
    return [batch_id]
