"""Opening a locked PDF with a password that a person entered, in a limited child process.

Foreign bytes are parsed, so none of this runs in the process that holds the ledger. The
password comes through the pipe with the request and is used once; the answer carries the
digest of the opened copy and never the password. The locked original stays as it arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import pikepdf

from ingest.content import kind_of
from ingest.context import StepContext
from ingest.document import Facts, SourceKind
from ingest.errors import ScanstrasseError
from ingest.product import PRODUCT
from ingest.sandbox import Child, Limits
from ingest.settings import Settings, in_child
from ingest.store import open_store

TOOL: Final = f"{PRODUCT} unlocking/1, pikepdf {pikepdf.__version__}"
#: What came of one file: no lock on it, opened now, other password needed, or a way of locking
#: that nothing here knows.
State = Literal["free", "opened", "locked", "unsupported"]
_SECONDS: Final = 120.0
_TARGET: Final = "workers.unlocking:prepare"


def unlock(
    settings: Settings, tenant: str, sources: list[tuple[int, str]], password: str, workspace: Path
) -> dict[int, Facts]:
    """Try `password` on each source; return `{"state", "sha256", "size"}` by ordinal.

    Args:
        settings: Of the installation; the child gets them without the ledger's address.
        tenant: Whose sources.
        sources: Ordinal and digest of each.
        password: Handed over by pipe.
        workspace: An empty folder; what lies there afterwards has no lock and must go.

    Raises:
        ToolFailed: The child crashed or overran its limits on a file; nothing was recorded.
        ToolTimedOut: As before, in time.
        StoreUnavailable: A file cannot be read or the copy not be written.
    """
    limits = Limits(memory_bytes=settings.workers.memory_bytes)
    child = Child(_TARGET, {"settings": settings.for_children()}, limits)
    try:
        return {
            ordinal: child.call(
                {
                    "tenant": tenant,
                    "sha256": sha256,
                    "password": password,
                    "workspace": str(workspace),
                },
                _SECONDS,
                lambda: True,
            )
            for ordinal, sha256 in sources
        }
    finally:
        child.close()


def prepare(setup: Facts) -> Callable[[Facts], Facts]:
    """Open the store and return the function that opens one file a call; runs in the child."""
    settings = in_child(setup["settings"])
    store = open_store(settings)

    def serve(request: Facts) -> Facts:
        context = StepContext(
            store=store,
            tenant=request["tenant"],
            workspace=Path(request["workspace"]),
            settings=settings,
        )
        try:
            return _opened(context, request["sha256"], request["password"])
        except ScanstrasseError:
            raise
        except Exception as error:  # noqa: BLE001 - a traceback could show the password to a log
            return _answer("unsupported", reason=type(error).__name__)
        finally:
            context.close()

    return serve


def _opened(context: StepContext, sha256: str, password: str) -> Facts:
    path = context.path(sha256)
    if kind_of(path) is not SourceKind.PDF or not _is_locked(path):
        return _answer("free")
    target = context.workspace / "opened.pdf"
    try:
        with pikepdf.open(path, password=password, suppress_warnings=True) as document:
            document.save(target, encryption=False)
    except pikepdf.PasswordError:
        return _answer("locked")
    except pikepdf.PdfError as error:
        return _answer("unsupported", reason=type(error).__name__)
    try:
        blob = context.keep(target)
    finally:
        target.unlink()
    return _answer("opened", sha256=blob.sha256, size=blob.size)


def _is_locked(path: Path) -> bool:
    try:
        with pikepdf.open(path, suppress_warnings=True):
            return False
    except pikepdf.PasswordError:
        return True
    except pikepdf.PdfError as error:
        return "encrypt" in str(error).lower()


def _answer(state: State, **known: Any) -> Facts:
    return {"state": state, **known}
