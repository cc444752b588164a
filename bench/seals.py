"""What a seal costs: CPU of the sealing process by level, key in a file against key in a token.

Authority, OCSP and lists are certomancer's, in a process of their own, so that only the client
is counted; the token is SoftHSM's. Sealed is one letter of about 750 kB; what is counted is the
seal with the proof of it by the second path, not note and store. Revocation services are asked
once, as in operation every five minutes; the last line asks them for every seal. Both
keys seal in turn, so that the ratio does not depend on what else the machine does.

Targets: B-T 60 ms, B-LTA 120 ms, the token adds at most a tenth.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import subprocess  # noqa: TID251 - a bench starts the services it asks
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ingest.document import RenditionKind
from ingest.sealing_settings import SealingSettings
from profiles.sealing import Level
from tests.plugins.letters import Desk, image_pdf, of
from tests.plugins.tokens import Card, make_card
from tests.plugins.trust import Trust, trusting
from workers import note
from workers.sealing import levels, proof
from workers.sealing.custody import token_key
from workers.sealing.port import Kind, SigningKey

_WARM = 3
_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class FileKey:
    """The organisation's key in memory, to compare the token with."""

    private_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...]
    kind: Kind = "organisation"

    def sign(self, content: bytes) -> bytes:
        """Sign as the token does."""
        return self.private_key.sign(content, ec.ECDSA(hashes.SHA256()))


def main() -> None:
    """Print milliseconds of CPU a seal by level and key."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seals", type=int, default=40, help="of each kind")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        _serve(arguments.serve)
        return
    with tempfile.TemporaryDirectory() as place, services(Path(place)) as tsa:
        folder = Path(place)
        card = make_card(folder / "card", key_of(folder, "seal"), issued=issued(folder))
        _measure(folder, tsa, card, arguments.seals)


def _measure(folder: Path, tsa: str, card: Card, count: int) -> None:
    settings = SealingSettings.model_validate(
        {"token": card.settings, "tsa_urls": [tsa], "tsa_roots": folder / "tsa-root.crt"}
    )
    assert settings.token is not None
    leaf, issuers = issued(folder)
    keys: dict[str, SigningKey] = {
        "file": FileKey(private_key=key_of(folder, "seal"), certificate=leaf, issuers=issuers),
        "token": token_key(settings.token, folder / "keys"),
    }
    letter, target = _letter(folder), folder / "sealed.pdf"
    print(f"letter of {letter.stat().st_size / 1000:.0f} kB, {count} seals of each kind")
    for level, asked in [*((one, False) for one in get_args(Level)), ("B-LTA", True)]:
        spent: dict[str, list[float]] = {name: [] for name in keys}
        for number in range(count + _WARM):
            for name, key in keys.items():
                means = levels.means({"level": level}, settings, key)
                if asked:  # answers are remembered by patience: another one has none yet
                    means = replace(means, seconds=10 + next(_NUMBERS) / 1000)
                milliseconds = _seal(letter, target, means)
                if number >= _WARM:
                    spent[name].append(milliseconds)
        middle = {name: statistics.median(values) for name, values in spent.items()}
        print(
            f"{level:6} file {middle['file']:6.1f} ms  token {middle['token']:6.1f} ms"
            f"  token/file {middle['token'] / middle['file']:.2f}"
            f"  +{(target.stat().st_size - letter.stat().st_size) / 1000:.1f} kB"
            + ("  (every revocation service asked anew)" if asked else "")
        )


def _seal(letter: Path, target: Path, means: levels.Means) -> float:
    before = time.process_time()
    levels.seal(letter, target, "0", means)
    proof.prove(target, letter, means.key, means.level)
    return (time.process_time() - before) * 1000


def _letter(folder: Path) -> Path:
    """Return a noted letter of the size of a scanned page."""
    desk = Desk(folder / "desk")
    assignment = desk.letter(composed=image_pdf(grain=random.Random(3)))
    (_, made) = note.perform(assignment, desk.context()).renditions
    assert made.kind is RenditionKind.NOTED, of(assignment)
    path = folder / "letter.pdf"
    path.write_bytes(desk.context().read(made.sha256))
    return path


def _serve(folder: Path) -> None:
    with trusting(folder) as trust:
        _write(folder, trust)
        print(trust.tsa, flush=True)
        sys.stdin.read()


def _write(folder: Path, trust: Trust) -> None:
    for name in ("root", "interm", "seal", "tsa-root"):
        pem = trust.certificate(name).public_bytes(serialization.Encoding.PEM)
        (folder / f"{name}.crt").write_bytes(pem)


@contextmanager
def services(folder: Path) -> Iterator[str]:
    """Run authority and revocation services; the value is the authority's address."""
    command = [sys.executable, "-m", "bench.seals", "--serve", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def issued(folder: Path) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    """Return the certificate that the services issued for seals, and those above it."""
    leaf, above, root = (
        x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
        for name in ("seal", "interm", "root")
    )
    return leaf, (above, root)


def key_of(folder: Path, name: str) -> ec.EllipticCurvePrivateKey:
    """Return a key of the services."""
    content = (folder / f"{name}.pem").read_bytes()
    key = serialization.load_pem_private_key(content, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


if __name__ == "__main__":
    main()
