"""A network scanner that speaks eSCL and has no glass: real HTTP, real pages, made-up troubles.

It follows the Mopria eSCL specification as far as clients ask; sane-airscan, a client nobody here
wrote, scans from it in the tests and so vouches for it. Run by itself it is the scanner of a
demonstration: `python -m tests.plugins.escl_device PORT PAGES…`.
"""

from __future__ import annotations

import io
import re
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from PIL import Image
from typing_extensions import override

_CAPABILITIES = """<?xml version="1.0" encoding="UTF-8"?>
<scan:ScannerCapabilities xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"
 xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm">
<pwg:Version>2.63</pwg:Version><pwg:MakeAndModel>Papierlos 3000</pwg:MakeAndModel>
<scan:Manufacturer>Werkbank</scan:Manufacturer><pwg:SerialNumber>WB-0001</pwg:SerialNumber>
<scan:UUID>{uuid}</scan:UUID>
<scan:Platen><scan:PlatenInputCaps>{caps}</scan:PlatenInputCaps></scan:Platen>
<scan:Adf><scan:AdfSimplexInputCaps>{caps}</scan:AdfSimplexInputCaps>
<scan:AdfDuplexInputCaps>{caps}</scan:AdfDuplexInputCaps>
<scan:AdfOptions><scan:AdfOption>Duplex</scan:AdfOption></scan:AdfOptions></scan:Adf>
</scan:ScannerCapabilities>"""
_CAPS = """<scan:MinWidth>16</scan:MinWidth><scan:MaxWidth>2550</scan:MaxWidth>
<scan:MinHeight>16</scan:MinHeight><scan:MaxHeight>4200</scan:MaxHeight>
<scan:SettingProfiles><scan:SettingProfile><scan:ColorModes>
<scan:ColorMode>Grayscale8</scan:ColorMode><scan:ColorMode>RGB24</scan:ColorMode>
</scan:ColorModes><scan:DocumentFormats>
<pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>
<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt></scan:DocumentFormats>
<scan:SupportedResolutions><scan:DiscreteResolutions>{dpis}</scan:DiscreteResolutions>
</scan:SupportedResolutions></scan:SettingProfile></scan:SettingProfiles>"""
_DPI = (
    "<scan:DiscreteResolution><scan:XResolution>{0}</scan:XResolution>"
    "<scan:YResolution>{0}</scan:YResolution></scan:DiscreteResolution>"
)
_STATUS = """<?xml version="1.0" encoding="UTF-8"?>
<scan:ScannerStatus xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"
 xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"><pwg:Version>2.63</pwg:Version>
<pwg:State>{state}</pwg:State><scan:AdfState>{feeder}</scan:AdfState><scan:Jobs>{jobs}</scan:Jobs>
</scan:ScannerStatus>"""
_JOB = """<scan:JobInfo><pwg:JobUri>{path}</pwg:JobUri><pwg:JobUuid>{uuid}</pwg:JobUuid>
<scan:Age>1</scan:Age><pwg:ImagesCompleted>{done}</pwg:ImagesCompleted>
<pwg:JobState>{state}</pwg:JobState></scan:JobInfo>"""


def picture(number: int, size: tuple[int, int] = (827, 1169)) -> bytes:
    """Return a page as JPEG, no two alike."""
    image = Image.new("L", size, 235)
    for place in range(number % 40 + 1):
        image.paste(20, (60, 60 + 24 * place, 400 + 7 * number % 300, 70 + 24 * place))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85, dpi=(100, 100))
    return written.getvalue()


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
        trouble: By page number, from 1: jam, conflict, busy, cut, short, cover, double, hang, lost.
        relative: The job's location is told as a path.
        held: While set, the next page is not handed over.
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

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self.port}/eSCL"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    device: ClassVar[EsclDevice]

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        device = self.device
        if device.denied:
            self._answer(403)
        elif self.path.endswith("/ScannerCapabilities"):
            caps = _CAPS.format(dpis="".join(_DPI.format(dpi) for dpi in (100, 200, 300, 600)))
            self._xml(_CAPABILITIES.format(caps=caps, uuid=uuid.uuid5(uuid.NAMESPACE_URL, "x")))
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
        if device.denied:
            self._answer(403)
        elif device.state == "Processing":
            self._answer(503, {"Retry-After": "1"})
        elif not device.pages and b"Feeder" in device.requests[-1]:
            device.feeder = "ScannerAdfEmpty"
            self._answer(409)
        elif device.feeder not in ("ScannerAdfLoaded", "ScannerAdfProcessing"):
            self._answer(409)
        else:
            job = Job(path=f"/eSCL/ScanJobs/{uuid.uuid4()}")
            device.jobs.append(job)
            where = job.path if device.relative else f"http://127.0.0.1:{device.port}{job.path}"
            self._answer(201, {"Location": where})

    def do_DELETE(self) -> None:
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
        elif trouble == "busy" and job.busy_told < 2:
            job.busy_told += 1
            self._answer(503, {"Retry-After": "0"})
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
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if trouble in ("cut", "hang"):
            self.wfile.write(sent[: len(sent) // 2])
            self.wfile.flush()
            if trouble == "hang":
                time.sleep(3)
            self.close_connection = True
            return
        self.wfile.write(sent)
        self.device.pages.pop(0)
        job.done += 1
        if not self.device.pages:
            self.device.feeder = "ScannerAdfEmpty"

    def _job(self, job: Job) -> str:
        ended = job.deleted or not self.device.pages
        state = "Completed" if ended else "Processing"
        return _JOB.format(path=job.path, uuid=job.uuid, done=job.done, state=state)

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


@contextmanager
def serving(device: EsclDevice, port: int = 0) -> Iterator[EsclDevice]:
    """Let the device answer on a port of 127.0.0.1 for as long as the block lasts."""
    handler = type("Handler", (_Handler,), {"device": device})
    server = _Server(("127.0.0.1", port), handler)
    device.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield device
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def main(arguments: Sequence[str]) -> None:
    """Serve the pages of these files for ever; the feeder fills itself again when it is empty."""
    pages = [Path(name).read_bytes() for name in arguments[1:]] or [picture(n) for n in range(1, 7)]
    with serving(EsclDevice(pages=list(pages)), int(arguments[0])) as device:
        sys.stdout.write(f"{device.url}\n")
        sys.stdout.flush()
        while True:
            time.sleep(0.5)
            if not device.pages:
                device.pages, device.feeder = list(pages), "ScannerAdfLoaded"


if __name__ == "__main__":
    main(sys.argv[1:])
