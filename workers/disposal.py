"""Paper from release to destruction, with everything checked that lies outside the ledger.

Before the ledger is asked, the sealed PDF of each document is read from the store and verified
a second time, by the code that `verify` uses, and the profile of its class is read as the house
has it today. What the ledger then decides it decides in one transaction, about exactly the
digests that were verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import profiles
from ingest.document import REST, Facts, PaperStage
from ingest.errors import DigestMismatch, Misconfigured, StoreUnavailable
from ingest.ledger import boxes, destruction
from ingest.ledger.admitting import require_admitted
from ingest.ledger.circumstances import Checked, Sealed, sealed
from ingest.ledger.conditions import Proof
from ingest.ledger.destruction import Judged, Means
from ingest.ledger.paperunits import seen
from workers.sealing.keys import CERTIFICATE_FILE
from workers.sealing.proof import SealBroken, examine
from workers.verification import verify_pdf

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.ledger import Ledger
    from ingest.settings import Settings
    from ingest.store.port import Store

_NO_SEAL: Final = "Es ist nicht das Siegel der Organisation."


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An entry of a list; `judged` where the list is about destruction."""

    entry: Facts
    judged: Judged | None = None


class Disposal:
    """What may be done with paper in an installation, for command line and pages."""

    def __init__(self, settings: Settings, ledger: Ledger, store: Store) -> None:
        """Take the parts of an installation."""
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._zone = ZoneInfo(settings.house.zone)

    def show(self, id_: str) -> list[Listed]:
        """Return the paper of a document or batch with every condition for its destruction.

        Raises:
            UsageError: Unknown id, or nothing of it was ever paper.
        """
        with self._ledger.reading() as connection:
            units = list(seen(connection, id_))
        return self._judged(units)

    def listed(self, tenant: str, what: boxes.List, box: str | None = None) -> list[Listed]:
        """Return a list by box; on one for destruction stands what still holds."""
        with self._ledger.reading() as connection:
            units = boxes.units(connection, tenant, what, box)
            if what != "destroy":
                return [Listed(entry=boxes.entry(connection, unit)) for unit in units]
        return self._judged(units)

    def release(self, ids: Sequence[str], *, by: str) -> list[str]:
        """Release paper for destruction; see `ingest.ledger.destruction.release`.

        Raises:
            UsageError: Nothing changed; the text names every condition that does not hold.
        """
        checked = self._checked_ids(ids)
        with self._ledger.writing() as connection:
            return destruction.release(connection, ids, by=by, checked=checked)

    def destroy(self, ids: Sequence[str], *, by: str, means: Means) -> list[str]:
        """Record destruction; see `ingest.ledger.destruction.destroy`.

        Raises:
            UsageError: Nothing changed; the text says which paper must not go, and why.
        """
        checked = self._checked_ids(ids)
        with self._ledger.writing() as connection:
            return destruction.destroy(connection, ids, by=by, means=means, checked=checked)

    def in_box(self, tenant: str, box: str) -> list[str]:
        """Return the documents whose paper in a box is released for destruction."""
        with self._ledger.reading() as connection:
            units = boxes.units(connection, tenant, "destroy", box)
            entries = [boxes.entry(connection, unit) for unit in units]
        return [str(entry["document"]) for entry in entries]

    def _judged(self, units: Sequence[Any]) -> list[Listed]:
        checked = self._checked(units)
        found = []
        with self._ledger.reading() as connection:
            for unit in units:
                released = unit.stage in (PaperStage.RELEASED, PaperStage.DESTROYED)
                wanted = PaperStage.RELEASED if released else PaperStage.STORED
                judged = destruction.judged(connection, unit, wanted, checked)
                found.append(Listed(entry=boxes.entry(connection, unit), judged=judged))
        return found

    def _checked_ids(self, ids: Sequence[str]) -> Checked:
        with self._ledger.reading() as connection:
            units = [unit for id_ in ids for unit in seen(connection, id_)]
        return self._checked(units)

    def _checked(self, units: Iterable[Any]) -> Checked:
        with self._ledger.reading() as connection:
            found = [sealed(connection, unit) for unit in units if unit.ordinal != REST]
        of_documents = [one for one in found if one is not None]
        rules = {one.profile: self._rules(one.tenant, one.profile) for one in of_documents}
        return Checked(
            zone=self._zone,
            proofs={
                one.document: self.proof(one, one.pdf_sha256)
                for one in of_documents
                if one.pdf_sha256 is not None
            },
            rules={name: content for name, content in rules.items() if content is not None},
        )

    def _rules(self, tenant: str, name: str) -> Facts | None:
        """Return a profile as it is now; None where it is gone, broken or nobody approved it."""
        try:
            loaded = profiles.load_released(name, self._settings.profiles)
            with self._ledger.reading() as connection:
                treatment = loaded.profile.treatment
                require_admitted(connection, tenant, name, loaded.sha256, treatment)
        except Misconfigured:
            return None
        return loaded.facts()

    def proof(self, one: Sealed, sha256: str) -> Proof:
        """Read a sealed PDF from the store and verify it now."""
        try:
            note = None if one.note_sha256 is None else self._read(one.tenant, one.note_sha256)
            with self._store.materialise(one.tenant, sha256) as path:
                return Proof(sha256=sha256, fault=self._fault(path, note, one.sealers))
        except (DigestMismatch, StoreUnavailable) as error:
            return Proof(sha256=sha256, fault=error.operator_text)

    def _read(self, tenant: str, sha256: str) -> bytes:
        with self._store.open(tenant, sha256) as stream:
            return stream.read()

    def _fault(self, path: Path, note: bytes | None, sealers: frozenset[str]) -> str | None:
        """Return what is wrong with a sealed file, None if the organisation's seal holds."""
        try:
            seal = examine(path)
        except SealBroken as error:
            return str(error)
        if seal is None or seal.kind != "organisation":
            return _NO_SEAL
        sealing = self._settings.sealing
        own = self._settings.keys / CERTIFICATE_FILE
        verification = verify_pdf(
            path,
            own if own.is_file() else None,
            sealing.tsa_roots,
            seal_roots=sealing.issuers,
            note=note,
            sealers=sealers,
        )
        failed = [
            check.text for check in verification.checks if check.required and not check.passed
        ]
        return " ".join(failed) or None
