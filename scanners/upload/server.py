"""The application on a port of its own, in a thread."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from ingest.errors import Misconfigured
from ingest.upload_settings import UploadSettings
from scanners.stack import wire
from scanners.upload.protocol import BoundedProtocol

#: Between two pages of a stack a sheet may have to be straightened.
_IDLE_SECONDS: Final = 75
#: Pages on their way when the service ends are taken or sent again.
_GRACE_SECONDS: Final = 10


class UploadServer:
    """Serves the application until it is told to stop."""

    def __init__(self, application: ASGIApp, settings: UploadSettings) -> None:
        """Take what is served and where; `start` serves it."""
        self._settings = settings
        self._server = _Server(_configuration(application, settings))
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where stations reach it, seen from this machine."""
        scheme = "http" if self._settings.certificate is None else "https"
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{scheme}://{host}:{self._settings.port}"

    def start(self) -> None:
        """Return when it answers.

        Raises:
            Misconfigured: The port is taken, or certificate or key cannot be used.
        """
        place = f"{self._settings.host}:{self._settings.port}"
        require_usable(self._settings)
        self._server.config.load()
        try:
            listening = _bound(self._settings.host, self._settings.port)
        except OSError as error:
            text = (
                f"An {place} kann nicht auf Arbeitsplätze gewartet werden: {error.strerror}. Bitte "
                "prüfen, ob dort schon etwas läuft, oder upload.host und upload.port ändern."
            )
            message = f"cannot listen at {place}: {error}"
            raise Misconfigured(message, operator_text=text) from error
        self._thread = threading.Thread(
            target=self._serve, args=(listening,), name="upload", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()

    def stop(self) -> None:
        """Take no more requests, let those that run end for some seconds, then return."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_GRACE_SECONDS * 2)

    def _serve(self, listening: socket.socket) -> None:
        try:
            self._server.run(sockets=[listening])
        finally:
            self._server.ready.set()


def require_usable(settings: UploadSettings) -> None:
    """Refuse a certificate or key with which nothing can be served.

    Raises:
        Misconfigured: One of them is missing, no PEM, or does not belong to the other.
    """
    if settings.certificate is None:
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except OSError as error:
        text = (
            f"upload.certificate ({settings.certificate}) oder upload.key ({settings.key}) ist "
            f"nicht brauchbar: {error}. Bitte beide Dateien prüfen."
        )
        message = f"certificate or key: {error}"
        raise Misconfigured(message, operator_text=text) from error


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _configuration(application: ASGIApp, settings: UploadSettings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="asyncio",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level=logging.CRITICAL,  # what matters is in our own log
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=wire.MOST_HEAD,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)
