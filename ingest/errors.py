"""Errors, sorted by who has to act.

Each class knows the standing it leads to and carries a code that is stable, an operator's
text in German that names the thing and the remedy, and an English message for the log.
Raising one leaves the world as it was: steps write only content-addressed blobs, and
nothing is recorded but the error itself.
"""

from __future__ import annotations

from typing import ClassVar

from ingest.document import Standing


class ScanstrasseError(Exception):
    """Base of all errors the project raises on purpose.

    Attributes:
        code: Stable name of the kind, lower case with underscores.
        operator_text: German: what happened, to what, what to do.
    """

    standing: ClassVar[Standing] = Standing.DEFERRED
    code: str = "error"

    def __init__(self, message: str, *, operator_text: str = "", code: str | None = None) -> None:
        """Take the English log `message` and the German `operator_text`."""
        super().__init__(message)
        self.operator_text = operator_text or message
        if code is not None:
            self.code = code


class Deferrable(ScanstrasseError):
    """The machine tries again later.

    Attributes:
        consumes_try: False for outages: an outage is nobody's failure.
    """

    standing = Standing.DEFERRED
    code = "deferrable"
    consumes_try: ClassVar[bool] = True


class ToolFailed(Deferrable):
    """A child process crashed, was killed for its memory, or answered nonsense."""

    code = "tool_failed"


class ToolTimedOut(Deferrable):
    """A child process overran its time budget and was killed."""

    code = "tool_timed_out"


class Outage(Deferrable):
    """Something outside is down or full; no try is consumed."""

    code = "outage"
    consumes_try = False


class StoreUnavailable(Outage):
    """The store cannot be reached or has no space; nothing was left behind in it."""

    code = "store_unavailable"


class LedgerUnavailable(Outage):
    """The ledger cannot be reached; nothing was committed."""

    code = "ledger_unavailable"


class AuthorityUnavailable(Outage):
    """A timestamp authority, seal service or target system does not answer properly."""

    code = "authority_unavailable"


class TrustUnknown(Outage):
    """No trusted list that counts says whether a certificate is qualified; a class demands it."""

    code = "trust_unknown"


class Unclear(ScanstrasseError):
    """A person has to decide; the unit is held (Klärfall)."""

    standing = Standing.HELD
    code = "unclear"


class PasswordNeeded(Unclear):
    """The file opens only with a password."""

    code = "password_needed"


class Unreadable(Unclear):
    """The file cannot be read at all, or has no pages."""

    code = "unreadable"


class Incomplete(Unclear):
    """The file ends early, is empty, or never became complete."""

    code = "incomplete"


class CountMismatch(Unclear):
    """Sheets, pages or digests differ from what was announced."""

    code = "count_mismatch"


class ManifestInvalid(Unclear):
    """What came with a stack (`batch.json`) does not parse, or says something impossible."""

    code = "manifest_invalid"


class ReceivedDateMissing(Unclear):
    """The document class needs the date of receipt and nobody recorded it."""

    code = "received_date_missing"


class NoteIncomplete(Unclear):
    """What a transfer note must say is not known, or the note is not whole; nothing is sealed."""

    code = "note_incomplete"


class NotConfirmed(Unclear):
    """The check of scan against paper ended badly, for this document or for its batch's sample."""

    code = "quality_refused"


class SeparatorUnreadable(Unclear):
    """A page looks like a separator sheet but does not decode."""

    code = "separator_unreadable"


class SheetInvalid(Unclear):
    """A separator sheet says something about its document that cannot hold."""

    code = "sheet_invalid"


class CheckFailed(Unclear):
    """One's own scan failed a check: a page does not decode, the result is not valid PDF/A."""

    code = "check_failed"


class Dangerous(ScanstrasseError):
    """The security officer has to decide; the unit is quarantined."""

    standing = Standing.QUARANTINED
    code = "dangerous"


class DecompressionBomb(Dangerous):
    """Decoding would need far more memory than any page of paper."""

    code = "decompression_bomb"


class DigestMismatch(Dangerous):
    """Stored bytes do not match their digest."""

    code = "digest_mismatch"


class BlobMissing(DigestMismatch):
    """The store answers and does not have bytes that the ledger names; waiting brings none."""

    code = "blob_missing"


class Misconfigured(ScanstrasseError):
    """The operator of the installation has to act; start-up stops with exit code 9."""

    standing = Standing.DEFERRED
    code = "misconfigured"
    consumes_try: ClassVar[bool] = False


class UnsafeFolders(Misconfigured):
    """A folder is shared, linked, overlapping or of the wrong kind."""

    code = "unsafe_folders"


class ToolMissing(Misconfigured):
    """A program, language model or library that is needed is not installed."""

    code = "tool_missing"


class ProfileInvalid(Misconfigured):
    """A profile does not exist, has an unknown key or a wrong value."""

    code = "profile_invalid"


class UsageError(ScanstrasseError):
    """The caller asked for something that does not exist or is not allowed now; exit code 2."""

    code = "usage"


def _leaves(base: type[ScanstrasseError]) -> dict[str, type[ScanstrasseError]]:
    found = {base.code: base}
    for sub in base.__subclasses__():
        found.update(_leaves(sub))
    return found


def from_code(code: str, message: str, operator_text: str) -> ScanstrasseError:
    """Rebuild an error that crossed a process border; unknown codes become `ToolFailed`."""
    kind = _leaves(ScanstrasseError).get(code, ToolFailed)
    return kind(message, operator_text=operator_text)
