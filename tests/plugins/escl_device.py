"""A network scanner that speaks eSCL and has no glass: real HTTP, real pages, made-up troubles.

It follows the Mopria eSCL specification as far as clients ask; sane-airscan, a client nobody here
wrote, scans from it in the tests and so vouches for it. Run by itself it is the scanner of a
demonstration: `python -m tests.plugins.escl_device --port 0 --pages FOLDER`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from typing_extensions import override
from zeroconf import ServiceInfo, Zeroconf

from tests.plugins.escl_pages import stack_of_letters

_CAPABILITIES = """<?xml version="1.0" encoding="UTF-8"?>
<scan:ScannerCapabilities xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"
 xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm">
<pwg:Version>2.63</pwg:Version><pwg:MakeAndModel>Papierlos 3000</pwg:MakeAndModel>
<scan:Manufacturer>Werkbank</scan:Manufacturer><pwg:SerialNumber>{serial}</pwg:SerialNumber>
<scan:UUID>{uuid}</scan:UUID>
<scan:Platen><scan:PlatenInputCaps>{caps}</scan:PlatenInputCaps></scan:Platen>
<scan:Adf><scan:AdfSimplexInputCaps>{caps}</scan:AdfSimplexInputCaps>
<scan:AdfDuplexInputCaps>{caps}</scan:AdfDuplexInputCaps>
<scan:AdfOptions><scan:AdfOption>Duplex</scan:AdfOption></scan:AdfOptions></scan:Adf>{more}
</scan:ScannerCapabilities>"""
_CAPS = """<scan:MinWidth>16</scan:MinWidth><scan:MaxWidth>{width}</scan:MaxWidth>
<scan:MinHeight>16</scan:MinHeight><scan:MaxHeight>{height}</scan:MaxHeight>
<scan:SettingProfiles><scan:SettingProfile><scan:ColorModes>{modes}</scan:ColorModes>
<scan:DocumentFormats><pwg:DocumentFormat>{format}</pwg:DocumentFormat>
<scan:DocumentFormatExt>{format}</scan:DocumentFormatExt></scan:DocumentFormats>
<scan:SupportedResolutions><scan:DiscreteResolutions>{dpis}</scan:DiscreteResolutions>
</scan:SupportedResolutions></scan:SettingProfile></scan:SettingProfiles>"""
_DPI = (
    "<scan:DiscreteResolution><scan:XResolution>{0}</scan:XResolution>"
    "<scan:YResolution>{0}</scan:YResolution></scan:DiscreteResolution>"
)
_THRESHOLD = """<scan:ThresholdSupport><scan:Min>0</scan:Min><scan:Max>200</scan:Max>
<scan:Normal>128</scan:Normal><scan:Step>1</scan:Step></scan:ThresholdSupport>"""
_STATUS = """<?xml version="1.0" encoding="UTF-8"?>
<scan:ScannerStatus xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"
 xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"><pwg:Version>2.63</pwg:Version>
<pwg:State>{state}</pwg:State><scan:AdfState>{feeder}</scan:AdfState><scan:Jobs>{jobs}</scan:Jobs>
</scan:ScannerStatus>"""
_JOB = """<scan:JobInfo><pwg:JobUri>{path}</pwg:JobUri><pwg:JobUuid>{uuid}</pwg:JobUuid>
<scan:Age>1</scan:Age><pwg:ImagesCompleted>{done}</pwg:ImagesCompleted>
<pwg:JobState>{state}</pwg:JobState></scan:JobInfo>"""


@dataclass
class Job:
    """A scan under way."""

    path: str
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    done: int = 0
    deleted: bool = False
    busy_told: int = 0


@dataclass
class EsclDevice:
    """The state of the device; tests set it and read it.

    Attributes:
        pages: Bytes of the sheets' sides in the feeder, taken one after the other.
        trouble: By page number, from 1: jam, conflict, busy, late, cut, short, cover, double, hang,
            lost, endless, denied.
        relative: The job's location is told as a path.
        modes, media_type, size, dpis, threshold: What it offers; size in 1/300 inch.
        elsewhere: The host that the job's location names in place of its own.
        ended: What it says of a job that has no more pages.
        instead: By the end of a path: status, headers and body that are sent in place of the
            device's own answer; a body of None never ends, with `X-Slowly` byte by byte.
        deleted: Paths of jobs that clients ended.
    """

    pages: list[bytes] = field(default_factory=list)
    trouble: dict[int, str] = field(default_factory=dict)
    relative: bool = False
    state: str = "Idle"
    feeder: str = "ScannerAdfLoaded"
    jobs: list[Job] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    denied: bool = False
    port: int = 0
    modes: tuple[str, ...] = ("Grayscale8", "RGB24")
    media_type: str = "image/jpeg"
    size: tuple[int, int] = (2550, 4200)
    dpis: tuple[int, ...] = (100, 200, 300, 600)
    threshold: bool = False
    ended: str = "Completed"
    instead: dict[str, tuple[int, dict[str, str], bytes | None]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    scheme: str = "http"
    elsewhere: str = ""
    serial: str = "WB-0001"
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Base address."""
        return f"{self.scheme}://127.0.0.1:{self.port}/eSCL"

    def capabilities(self) -> str:
        """What it tells under `ScannerCapabilities`."""
        caps = _CAPS.format(
            dpis="".join(_DPI.format(dpi) for dpi in self.dpis),
            modes="".join(f"<scan:ColorMode>{mode}</scan:ColorMode>" for mode in self.modes),
            format=self.media_type,
            width=self.size[0],
            height=self.size[1],
        )
        return _CAPABILITIES.format(
            caps=caps,
            serial=self.serial,
            uuid=self.uuid,
            more=_THRESHOLD if self.threshold else "",
        )

    @property
    def uuid(self) -> str:
        """By which it is known under each of its addresses."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.serial))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    device: ClassVar[EsclDevice]

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        device = self.device
        if self._instead():
            return
        if device.denied:
            self._answer(403)
        elif self.path.endswith("/ScannerCapabilities"):
            self._xml(device.capabilities())
        elif self.path.endswith("/ScannerStatus"):
            jobs = "".join(self._job(job) for job in reversed(device.jobs))
            self._xml(_STATUS.format(state=device.state, feeder=device.feeder, jobs=jobs))
        elif found := re.fullmatch(r"(/eSCL/ScanJobs/[0-9a-f-]+)/NextDocument", self.path):
            self._next(next((job for job in device.jobs if job.path == found[1]), None))
        else:
            self._answer(404)

    def do_POST(self) -> None:
        device = self.device
        device.requests.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if self._instead():
            return
        if device.denied:
            self._answer(403)
        elif device.state == "Processing":
            self._answer(503, {"Retry-After": "1"})
        elif not device.pages and b">Feeder<" in device.requests[-1]:
            device.feeder = "ScannerAdfEmpty"
            self._answer(409)
        elif device.feeder not in ("ScannerAdfLoaded", "ScannerAdfProcessing") and (
            b">Feeder<" in device.requests[-1]
        ):
            self._answer(409)
        else:
            job = Job(path=f"/eSCL/ScanJobs/{uuid.uuid4()}")
            device.jobs.append(job)
            host = device.elsewhere or f"{device.scheme}://127.0.0.1:{device.port}"
            where = job.path if device.relative else f"{host}{job.path}"
            self._answer(201, {"Location": where})

    def do_DELETE(self) -> None:
        self.device.deleted.append(self.path)
        for job in self.device.jobs:
            if job.path == self.path:
                job.deleted = True
        self._answer(200)

    def _next(self, job: Job | None) -> None:
        device = self.device
        if job is None or job.deleted or not device.pages:
            self._answer(404)
            return
        number = job.done + 1
        trouble = device.trouble.get(number)
        feeder = {
            "jam": "ScannerAdfJam",
            "conflict": "ScannerAdfJam",
            "cover": "ScannerAdfHatchOpen",
            "double": "ScannerAdfMultipickDetected",
        }.get(trouble or "")
        if feeder is not None:
            device.feeder = feeder
            self._answer(409 if trouble == "conflict" else 503)
        elif trouble in ("busy", "late") and job.busy_told < 2:
            job.busy_told += 1
            if trouble == "late":  # the sheet has left the feeder and is not ready yet
                device.feeder = "ScannerAdfEmpty"
            self._answer(503, {"Retry-After": "0"})
        elif trouble == "denied":
            self._answer(401)
        elif trouble == "lost":
            job.done += 1
            device.pages.pop(0)
            self._answer(404) if not device.pages else self._next(job)
        else:
            self._page(job, trouble)

    def _page(self, job: Job, trouble: str | None) -> None:
        page = self.device.pages[0]
        sent, length = page, len(page)
        if trouble == "short":
            sent = page[: len(page) // 2]
            length = len(sent)
        if trouble not in ("endless", "cut", "hang"):
            # Before the client has all of it: it may ask for the next one at once.
            self.device.pages.pop(0)
            job.done += 1
            if not self.device.pages:
                self.device.feeder = "ScannerAdfEmpty"
        self.send_response(200)
        self.send_header("Content-Type", self.device.media_type)
        if trouble != "endless":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if trouble == "endless":
            self.wfile.write(sent)
            self._without_end()
            return
        if trouble in ("cut", "hang"):
            self.wfile.write(sent[: len(sent) // 2])
            self.wfile.flush()
            if trouble == "hang":
                self.device.released.wait()
            self.close_connection = True
            return
        self.wfile.write(sent)

    def _job(self, job: Job) -> str:
        ended = job.deleted or not self.device.pages
        state = self.device.ended if ended else "Processing"
        return _JOB.format(path=job.path, uuid=job.uuid, done=job.done, state=state)

    def _instead(self) -> bool:
        """Send what the test wants sent in place of the device's own answer, if anything."""
        found = next((each for each in self.device.instead if self.path.endswith(each)), None)
        if found is None:
            return False
        status, headers, body = self.device.instead[found]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is None:
            self._without_end(slowly="X-Slowly" in headers)
        else:
            self.wfile.write(body)
        return True

    def _without_end(self, *, slowly: bool = False) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            while not self.device.released.wait(0.05 if slowly else 0):
                self.wfile.write(bytes(1 if slowly else 1 << 16))

    def _xml(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what many tests are about."""


@contextmanager
def serving(
    device: EsclDevice, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[EsclDevice]:
    """Let the device answer on a port of 127.0.0.1 for as long as the block lasts."""
    handler = type("Handler", (_Handler,), {"device": device})
    server = _Server(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        device.scheme = "https"
    device.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield device
    finally:
        device.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def announcing(device: EsclDevice) -> Iterator[Callable[[], None]]:
    """Let the device announce itself on loopback; lend what takes the announcement back."""
    kind = "_uscans._tcp.local." if device.scheme == "https" else "_uscan._tcp.local."
    told = ServiceInfo(
        kind,
        f"Papierlos {device.serial}.{kind}",
        addresses=[socket.inet_aton("127.0.0.1")],
        port=device.port,
        properties={"rs": "eSCL", "UUID": device.uuid, "is": "platen,adf", "duplex": "T"},
        server="papierlos.local.",
    )
    with Zeroconf(interfaces=["127.0.0.1"]) as voice:
        voice.register_service(told)
        yield lambda: voice.unregister_service(told)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a stack for as long as the parent process lives; an empty feeder fills itself again."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--pages", type=Path, help="folder of JPEG files of 300 dpi, by name")
    parser.add_argument("--address-file", type=Path, help="where the address is written")
    given = parser.parse_args(arguments)
    parent = os.getppid()
    warming_up = EsclDevice(state="Processing", modes=("RGB24",), dpis=(300,))
    with serving(warming_up, given.port) as device:
        sys.stdout.write(f"{device.url}\n")
        sys.stdout.flush()
        if given.address_file is not None:
            written = given.address_file.with_suffix(".part")
            written.write_text(device.url, encoding="utf-8")
            written.replace(given.address_file)
        found = sorted(given.pages.glob("*.jpg")) if given.pages else []
        stack = [file.read_bytes() for file in found] or stack_of_letters()
        device.state = "Idle"
        while os.getppid() == parent:
            if not device.pages:
                device.pages, device.feeder = list(stack), "ScannerAdfLoaded"
            time.sleep(0.5)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
