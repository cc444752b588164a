"""Which versions of a profile persons let into work, and who wrote, tested and approved them.

The exact bytes of a file go draft → tested → approved → withdrawn (BSI TR-03138 V1.5, A.SC.6).
A changed file has another digest and begins as a draft. Who approves is not who wrote it, as
persons, not as codes, and the difference to the version before is kept (A.SC.4). Of a name
one version is approved: approving the next one withdraws the last. A withdrawn version does
not come back; what began under it goes on under it.

Where it is asked: `ingest.ledger.admitting`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ingest.document import Facts, Role
from ingest.errors import UsageError
from ingest.ledger import accepting, chains, installation, needs, people, schema
from ingest.ledger.admitting import APPROVED, DRAFT, STAGES, TESTED, WITHDRAWN
from ingest.ledger.engine import hold

if TYPE_CHECKING:
    from profiles import LoadedProfile

Row = sa.Row[Any]
_file, _text = schema.profile_file, schema.procedure_text

#: Events of the tenant's own chain.
SUBMITTED: Final = "profile_submitted"
TRIED: Final = "profile_tested"
APPROVAL: Final = "profile_approved"
WITHDRAWAL: Final = "profile_withdrawn"
_REPLACED: Final = "ersetzt durch die Fassung {sha256}"

#: Tells whether the store holds a tenant's bytes undamaged.
Intact = Callable[[str, str], bool]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a test of a profile showed (A.SC.6).

    Attributes:
        result: In sentences; kept for good, so it names nobody.
        documents: Ids of documents that were made in the test.
    """

    result: str
    documents: tuple[str, ...] = ()


def submit(connection: sa.Connection, tenant: str, loaded: LoadedProfile, *, author: str) -> None:
    """Keep the bytes of a profile's file as a draft.

    Raises:
        UsageError: `author` stands for no known person, the profile is a template or claims
            what its scans cannot show, or these bytes were submitted before; nothing changed.
    """
    person = people.person_of(connection, tenant, author)
    profile = loaded.profile
    if profile.treatment == "replacing" and not profile.released:
        text = (
            f"Profil {loaded.path}: Es ist noch eine Vorlage. Bitte vervollständigen und "
            "'released = true' setzen; danach diese Fassung einreichen."
        )
        raise UsageError("a template cannot be submitted", operator_text=text)
    if profile.claims_too_much is not None:
        text = f"Profil {loaded.path}: {profile.claims_too_much}"
        raise UsageError("the class claims too much", operator_text=text)
    hold(connection, f"profiles of {tenant}")
    known = connection.execute(_one(tenant, loaded.sha256)).first()
    if known is not None:
        text = (
            f"Genau diese Fassung von '{profile.name}' ist bekannt: {STAGES[known.stage]}. Eine "
            "zurückgezogene kommt nicht wieder; bitte version erhöhen."
        )
        raise UsageError("the version is known", operator_text=text)
    row: Facts = {
        "tenant": tenant,
        "sha256": loaded.sha256,
        "name": profile.name,
        "version": profile.version,
        "treatment": profile.treatment,
        "stage": DRAFT,
        "content": loaded.content,
        "procedure_sha256": profile.procedure.sha256 if profile.procedure else None,
        "protection": needs.of_profile(loaded.facts()),
        "author": author,
        "author_person": person,
        "submitted_at": accepting.now(connection),
        "test_documents": [],
    }
    connection.execute(sa.insert(_file), row)
    _note(connection, tenant, SUBMITTED, {**_named(row)}, author)


def record_trial(
    connection: sa.Connection, tenant: str, chosen: str, trial: Trial, *, by: str
) -> None:
    """Record a test of a draft, or one more of a tested version.

    Args:
        connection: In a writing transaction.
        tenant: Of the authority.
        chosen: Name of the profile, or the beginning of a version's digest.
        trial: What the test showed.
        by: Who tested.

    Raises:
        UsageError: `by` is not known, a document is not, or no single version can be meant.
    """
    people.person_of(connection, tenant, by)
    row = _version(connection, tenant, chosen, (DRAFT, TESTED))
    if not trial.result.strip():
        text = f"{row.name}: Es fehlt das Ergebnis des Tests (--result)."
        raise UsageError("no result", operator_text=text)
    _require_documents(connection, tenant, trial.documents)
    values: Facts = {"stage": TESTED, "tested_by": by, "tested_at": accepting.now(connection)}
    values |= {"test_result": trial.result, "test_documents": list(trial.documents)}
    _change(connection, row, values)
    said = {**_told(row), "result": trial.result, "documents": list(trial.documents)}
    _note(connection, tenant, TRIED, said, by)


def approve(
    connection: sa.Connection, tenant: str, chosen: str, *, by: str, intact: Intact
) -> str | None:
    """Approve a tested version; return the digest of the one it takes the place of.

    Args:
        connection: In a writing transaction.
        tenant: Of the authority.
        chosen: As for `record_trial`.
        by: The supervisor, who is not the author.
        intact: Reads the written procedure in the store.

    Raises:
        UsageError: A condition does not hold; nothing changed.
    """
    person = people.require_role(connection, tenant, by, Role.SUPERVISOR)
    hold(connection, f"profiles of {tenant}")
    row = _version(connection, tenant, chosen, (TESTED,))
    if person == row.author_person:
        text = (
            f"{row.name}: Verfasst ({row.author}) und freigegeben ({by}) haben zwei verschiedene "
            "Personen. Bitte eine andere Person freigeben lassen."
        )
        raise UsageError("author and approver are one person", operator_text=text)
    _require_procedure(connection, row, intact)
    _require_similar_documents(row)
    before = _approved(connection, tenant, row.name)
    if before is not None:
        _end(connection, before, by, _REPLACED.format(sha256=row.sha256))
    approved = {"stage": APPROVED, "approved_by": by, "approved_at": accepting.now(connection)}
    _change(connection, row, approved)
    said = {**_told(row), "author": row.author, "before": before.sha256 if before else None}
    said["difference"] = difference(before.content if before else b"", row.content)
    _note(connection, tenant, APPROVAL, said, by)
    return None if before is None else str(before.sha256)


def withdraw(connection: sa.Connection, tenant: str, chosen: str, *, by: str, reason: str) -> None:
    """Withdraw a version: nothing begins under it any more, what began goes on.

    Raises:
        UsageError: `by` is no supervisor, the reason is missing, or no single version can be
            meant; nothing changed.
    """
    people.require_role(connection, tenant, by, Role.SUPERVISOR)
    hold(connection, f"profiles of {tenant}")
    row = _version(connection, tenant, chosen, (APPROVED, TESTED, DRAFT))
    if not reason.strip():
        text = f"{row.name}: Für das Zurückziehen fehlt die Angabe --reason (Grund)."
        raise UsageError("no reason", operator_text=text)
    _end(connection, row, by, reason)


def versions(connection: sa.Connection, tenant: str, name: str | None = None) -> Sequence[Row]:
    """Return the versions of a tenant's profiles, or of one, in the order of submission."""
    query = sa.select(_file).where(_file.c.tenant == tenant)
    if name is not None:
        query = query.where(_file.c.name == name)
    return connection.execute(query.order_by(_file.c.name, _file.c.submitted_at)).all()


def version(connection: sa.Connection, tenant: str, chosen: str) -> Row:
    """Return the version whose digest begins with `chosen`, or the newest of that name.

    Raises:
        UsageError: There is none.
    """
    found = _matching(connection, tenant, chosen)
    if not found:
        raise _unknown(chosen)
    return found[-1]


def before(connection: sa.Connection, row: Row) -> Row | None:
    """Return the version of the same name that was approved last, other than `row`."""
    others = [
        other
        for other in versions(connection, row.tenant, row.name)
        if other.sha256 != row.sha256 and other.approved_at is not None
    ]
    return max(others, key=lambda other: other.approved_at, default=None)


def difference(old: bytes, new: bytes) -> str:
    """Return the unified difference of two files, empty where there is none."""
    was, now = (content.decode("utf-8").splitlines() for content in (old, new))
    return "\n".join(difflib.unified_diff(was, now, "vorher", "nachher", lineterm=""))


def _one(tenant: str, sha256: str) -> sa.Select[Any]:
    return sa.select(_file).where(_file.c.tenant == tenant, _file.c.sha256 == sha256)


def _matching(connection: sa.Connection, tenant: str, chosen: str) -> list[Row]:
    named = list(versions(connection, tenant, chosen))
    if named:
        return named
    return [row for row in versions(connection, tenant) if row.sha256.startswith(chosen.lower())]


def _version(connection: sa.Connection, tenant: str, chosen: str, stages: Sequence[str]) -> Row:
    """Return the one version that can be meant.

    Raises:
        UsageError: There is none in one of `stages`, or there are several.
    """
    known = _matching(connection, tenant, chosen)
    if not known:
        raise _unknown(chosen)
    fitting = [row for row in known if row.stage in stages]
    wanted = " oder ".join(STAGES[stage] for stage in stages)
    if not fitting:
        has = ", ".join(f"{row.sha256[:12]} {STAGES[row.stage]}" for row in known)
        text = f"{chosen}: Keine Fassung hat den Stand {wanted}. Bekannt: {has}."
        raise UsageError(f"no version of {chosen} in {stages}", operator_text=text)
    if len(fitting) > 1:
        has = ", ".join(f"{row.sha256[:12]} ({STAGES[row.stage]})" for row in fitting)
        text = f"{chosen}: Mehrere Fassungen kommen in Frage, bitte eine nennen: {has}."
        raise UsageError(f"several versions of {chosen}", operator_text=text)
    return fitting[0]


def _unknown(chosen: str) -> UsageError:
    text = f"Von '{chosen}' ist keine Fassung eingereicht. Bitte zuerst »profile submit {chosen}«."
    return UsageError(f"no version of {chosen}", operator_text=text)


def _approved(connection: sa.Connection, tenant: str, name: str) -> Row | None:
    named = (_file.c.tenant == tenant, _file.c.name == name, _file.c.stage == APPROVED)
    return connection.execute(sa.select(_file).where(*named)).first()


def _require_documents(connection: sa.Connection, tenant: str, ids: Sequence[str]) -> None:
    table = schema.document
    for id_ in ids:
        query = sa.select(table.c.id).where(table.c.tenant == tenant, table.c.id == id_)
        if connection.execute(query).first() is None:
            text = f"Dokument {id_} gibt es bei diesem Mandanten nicht."
            raise UsageError(f"no document {id_}", operator_text=text)


def _require_procedure(connection: sa.Connection, row: Row, intact: Intact) -> None:
    """Refuse where the written procedure is not released or not there (A.G.1; RS-012)."""
    if row.treatment != "replacing":
        return
    named = (_text.c.tenant == row.tenant, _text.c.sha256 == row.procedure_sha256)
    released = connection.execute(sa.select(_text).where(*named, _text.c.kind == "written")).first()
    if released is None:
        text = (
            f"{row.name}: Die Verfahrensdokumentation mit der Prüfsumme {row.procedure_sha256} "
            "([procedure] sha256) ist nicht freigegeben. Bitte zuerst »procedure release DATEI«."
        )
        raise UsageError("the procedure is not released", operator_text=text)
    if not intact(row.tenant, released.sha256):
        text = (
            f"{row.name}: Die freigegebene Verfahrensdokumentation {released.name} fehlt in der "
            "Ablage oder ist beschädigt. Bitte aus der Sicherung zurückholen."
        )
        raise UsageError("the procedure is not in the store", operator_text=text)


def _require_similar_documents(row: Row) -> None:
    """Refuse at very high availability without a test on similar documents (A.AM.VF.SH.1)."""
    demanded = (row.protection or {}).get("availability") == "very_high"
    if demanded and not row.test_documents:
        text = (
            f"{row.name}: Bei sehr hohem Schutzbedarf der Verfügbarkeit muss der Test ähnliche "
            "Dokumente nennen (»profile test --documents«; TR-03138 A.AM.VF.SH.1)."
        )
        raise UsageError("no test documents", operator_text=text)


def _end(connection: sa.Connection, row: Row, by: str, reason: str) -> None:
    values = {"stage": WITHDRAWN, "withdrawn_by": by, "withdrawn_reason": reason}
    _change(connection, row, {**values, "withdrawn_at": accepting.now(connection)})
    _note(connection, row.tenant, WITHDRAWAL, {**_told(row), "reason": reason}, by)


def _change(connection: sa.Connection, row: Row, values: Facts) -> None:
    chosen = (_file.c.tenant == row.tenant, _file.c.sha256 == row.sha256)
    connection.execute(sa.update(_file).where(*chosen).values(values))


def _named(row: Facts) -> Facts:
    return {key: row[key] for key in ("name", "version", "sha256", "treatment")}


def _told(row: Row) -> Facts:
    return {key: getattr(row, key) for key in ("name", "version", "sha256")}


def _note(connection: sa.Connection, tenant: str, kind: str, said: Facts, by: str) -> None:
    installation.note(connection, tenant, chains.Entry(kind, said, by))
