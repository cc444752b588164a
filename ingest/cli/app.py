"""What every command shares: settings, ledger and store, opened when first asked for."""

from __future__ import annotations

import functools
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO, cast

import click
import structlog

from ingest.cli import usage
from ingest.document import DEFAULT_TENANT
from ingest.errors import UsageError
from ingest.settings import Settings, load

if TYPE_CHECKING:
    from ingest.ledger import Ledger
    from ingest.ledger.namebook import Namebook
    from ingest.store.port import Store


class App:
    """Opens the parts of an installation lazily, so that `--help` costs nothing."""

    def __init__(self, data: Path | None, config: Path | None) -> None:
        """Remember where the installation is."""
        self._place = (data, config)

    @cached_property
    def settings(self) -> Settings:
        """The checked configuration.

        Raises:
            Misconfigured: A key is unknown or wrong.
        """
        data, config = self._place
        loaded = load(data, config)
        return loaded.model_copy(update={"data": loaded.data.absolute()})

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, migrated to the present schema."""
        from ingest.ledger import open_ledger

        self.settings.data.mkdir(parents=True, exist_ok=True, mode=0o750)
        return open_ledger(self.settings.ledger_address(), self._keep_name)

    @cached_property
    def names(self) -> Namebook:
        """The store of names of operators."""
        from ingest.ledger.namebook import open_namebook

        self.settings.data.mkdir(parents=True, exist_ok=True, mode=0o750)
        return open_namebook(self.settings.names_address())

    def _keep_name(self, tenant: str, person: str, name: str) -> None:
        from ingest.ledger.namebook import Named

        self.names.enter(tenant, person, Named(name=name))

    @cached_property
    def store(self) -> Store:
        """The store."""
        from ingest.store import open_store

        return open_store(self.settings)

    def unit(self, identifier: str, *, scanning: bool = False) -> str:
        """Return the full id of the batch or document that `identifier` begins.

        With `scanning` a stack that is still scanned will do, too.

        Raises:
            UsageError: There is none, there are several, or it is such a stack.
        """
        from ingest.ledger.showing import find

        with self.ledger.reading() as connection:
            return find(connection, identifier, scanning=scanning).id

    def tenant(self, name: str | None) -> str:
        """Return `name`, or the default tenant.

        Raises:
            UsageError: There is no such tenant.
        """
        wanted = name or DEFAULT_TENANT
        if wanted not in self.settings.tenants:
            known = ", ".join(sorted(self.settings.tenants))
            message = f"unknown tenant {wanted}"
            raise UsageError(
                message, operator_text=f"Unbekannter Mandant „{wanted}“. Bekannt sind: {known}."
            )
        return wanted

    def __enter__(self) -> Self:
        """Return the app."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the ledger and the names."""
        for name in ("ledger", "names"):
            if name in self.__dict__:
                getattr(self, name).close()


def print_json(record: dict[str, Any]) -> None:
    """Print one JSON object on a line of its own."""
    click.echo(json.dumps(record, ensure_ascii=False, default=str))


def with_app(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hand the `App` to a command as its first argument, and note its use."""

    @functools.wraps(function)
    def performed(app: App, *arguments: Any, **options: Any) -> Any:
        return usage.noted(app, lambda: function(app, *arguments, **options))

    return click.pass_obj(performed)


class _Forgiving:
    """A text stream on which writing never fails: a full disk must not stop the work."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return bool(self._stream.isatty())


def configure_logs(*, verbose: bool, stream: Any = None) -> None:
    """Send logs to standard error: readable on a terminal, JSON elsewhere."""
    target = _Forgiving(stream or sys.stderr)
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if target.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.WARNING
        ),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", target)),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.ERROR, stream=cast("TextIO", target))
