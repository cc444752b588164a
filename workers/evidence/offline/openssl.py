"""Signatures and certificates: asked of the program `openssl`, where there is one."""

from __future__ import annotations

import base64
import datetime as dt
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workers.evidence.offline.containers import StampedBy
from workers.evidence.offline.findings import Findings

_SECONDS = 120
_UNKNOWN = "nicht geprüft ist, wer unterschrieben hat"
_GIVEN = "den angegebenen Zertifikaten"
#: Nobody broke anything: without a timestamp before its end nothing can be said any more.
_EXPIRED = "expired"


class OpenSsl:
    """Verifies containers and tokens by the certificates in the bundle, or by those given.

    Attributes:
        found: Whether the program is there.
    """

    def __init__(self, findings: Findings, trust: Path | None, bundled: Path | None) -> None:
        """Take whose certificates count: given ones (`trust`), else the bundle's own."""
        self._findings = findings
        self._program = shutil.which("openssl")
        self._given = trust is not None
        self._roots = trust or bundled
        #: Many records share one timestamp, and starting a program takes its time.
        self._answers: dict[tuple[bytes, tuple[str, ...]], str | None] = {}

    @property
    def found(self) -> bool:
        """Whether the program is there."""
        return self._program is not None

    def signed(
        self, where: str, encoded: bytes, content: Path, at: dt.datetime | None, name: str
    ) -> None:
        """Say whether a detached container signs the bytes of `content`, and who signed.

        Args:
            where: What is concerned.
            encoded: The container.
            content: File with exactly the signed bytes.
            at: When the certificate had to be good; None is now.
            name: What it is, for the reader.
        """
        plain = ["cms", "-verify", "-binary", "-inform", "DER", "-content", str(content)]
        whose = [*plain, "-purpose", "any", *self._moment(at)]
        self._judge(where, encoded, name, (whose, [*plain, "-noverify"]))

    def stamped(self, where: str, stamp: StampedBy, at: dt.datetime | None, name: str) -> None:
        """Say whether a timestamp was issued by whom it names; `at` as in `signed`."""
        plain = ["cms", "-verify", "-binary", "-inform", "DER", "-noverify"]
        digest = ["-digest", stamp.imprint.hex(), "-token_in"]
        whose = ["ts", "-verify", *digest, *self._moment(at)]
        self._judge(where, stamp.encoded, name, (whose, plain))

    def linked(self, chain: Sequence[bytes]) -> bool:
        """Tell whether each certificate (DER) was issued by the next, the last by itself.

        Their subjects have to differ: then there is no other way to which the answer could be.
        """
        leaf, *above = (_as_pem(one) for one in chain)
        files = {
            "leaf.pem": leaf,
            "between.pem": "".join(above[:-1]),
            "root.pem": (above or [leaf])[-1],
        }
        command = ["verify", "-no_check_time", "-no-CApath", "-CAfile", "root.pem"]
        between = ["-untrusted", "between.pem"] if above[:-1] else []
        return self._says("leaf.pem: OK", [*command, *between, "leaf.pem"], files)

    def answered(self, response: bytes, subject: bytes, issuer: bytes, at: dt.datetime) -> bool:
        """Tell whether an OCSP response was signed by the issuer or whom it let answer, at `at`."""
        files = {"c.pem": _as_pem(subject), "i.pem": _as_pem(issuer)}
        command = ["ocsp", "-respin", "answer.der", "-issuer", "i.pem", "-cert", "c.pem"]
        command += ["-verify_other", "i.pem", "-CAfile", "i.pem", "-partial_chain", "-no-CApath"]
        command += ["-no_nonce", *self._moment(at)]
        return self._says("Response verify OK", command, files, {"answer.der": response})

    def listed(self, crl: bytes, issuer: bytes) -> bool:
        """Tell whether a revocation list was signed by `issuer`."""
        command = ["crl", "-inform", "DER", "-in", "list.der", "-noout", "-CAfile", "i.pem"]
        return self._says("verify OK", command, {"i.pem": _as_pem(issuer)}, {"list.der": crl})

    def _says(
        self,
        wanted: str,
        command: list[str],
        texts: dict[str, str],
        others: dict[str, bytes] | None = None,
    ) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in texts.items():
                (Path(folder) / name).write_text(text, "ascii")
            for name, content in (others or {}).items():
                (Path(folder) / name).write_bytes(content)
            try:
                done = subprocess.run(  # noqa: S603 - a program found on the PATH
                    [str(self._program), *command],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired):
                return False
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        return done.returncode == 0 and wanted in [line.strip() for line in lines]

    def _judge(
        self, where: str, encoded: bytes, name: str, commands: tuple[list[str], list[str]]
    ) -> None:
        """Ask who signed; only if that fails, whether the signature holds at all."""
        if self._program is None:
            self._findings.skips(where, f"{name}: die Unterschrift selbst, openssl fehlt")
            return
        whose, plain = commands
        problem: str | None = "--trust fehlt"
        if self._roots is not None:
            problem = self._ask([*whose, "-CAfile", str(self._roots)], encoded)
        if problem is None:
            by = _GIVEN if self._given else "den Zertifikaten in diesem Paket"
            self._findings.holds(where, f"{name} gültig nach {by}")
            return
        broken = self._ask(plain, encoded)
        if broken is not None:
            self._findings.breaks(where, f"{name}: die Unterschrift gilt nicht ({broken})")
        elif self._given and _EXPIRED not in problem:
            self._findings.breaks(where, f"{name} gilt nicht nach {_GIVEN} ({problem})")
        else:
            self._findings.skips(where, f"{name} rechnerisch gültig; {_UNKNOWN} ({problem})")

    @staticmethod
    def _moment(at: dt.datetime | None) -> list[str]:
        return [] if at is None else ["-attime", str(int(at.timestamp()))]

    def _ask(self, command: list[str], encoded: bytes) -> str | None:
        question = (encoded, tuple(command))
        if question not in self._answers:
            self._answers[question] = self._run(command, encoded)
        return self._answers[question]

    def _run(self, command: list[str], encoded: bytes) -> str | None:
        """Run the program; return why it refuses, None where it does not."""
        with tempfile.TemporaryDirectory() as folder:
            held = Path(folder) / "signatur.der"
            held.write_bytes(encoded)
            try:
                done = subprocess.run(  # noqa: S603 - a program found on the PATH
                    [str(self._program), *command, "-in", str(held)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    timeout=_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return type(error).__name__
        if done.returncode == 0:
            return None
        said = done.stderr.decode("utf-8", "replace").splitlines()
        marks = [line.rpartition("error:")[2] for line in said if "error:" in line]
        return marks[-1].strip()[:200] if marks else "abgelehnt"


def _as_pem(certificate: bytes) -> str:
    text = base64.encodebytes(certificate).decode("ascii")
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"
