"""Signature containers: ASiC with CAdES (ETSI EN 319 162-1).

The signature is over a list of digests, so both are checked: a member that was changed leaves
the signature as valid as before. XAdES, timestamps alone and evidence records in a container
are named and not validated here.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from defusedxml import ElementTree

from workers.inspection.signatures.cms import of_bytes, unfitting
from workers.inspection.signatures.engine import Policy
from workers.inspection.signatures.verdicts import Verdict, broken_off, malformed

_MOST_MEMBERS: Final = 1000
_MOST_BYTES: Final = 512 * 1024**2
_LARGEST_DESCRIPTION: Final = 8 * 1024**2
_CHUNK: Final = 1 << 20
_META: Final = "META-INF/"
_SIMPLE: Final = b"application/vnd.etsi.asic-s+zip"
_MANIFEST: Final = re.compile(r"META-INF/ASiCManifest[^/]*\.xml", re.IGNORECASE)
_CADES: Final = re.compile(r"META-INF/[^/]*signature[^/]*\.p7s", re.IGNORECASE)
_XADES: Final = re.compile(r"META-INF/[^/]*signatures[^/]*\.xml", re.IGNORECASE)
_OTHERS: Final = (
    (re.compile(r"META-INF/[^/]*\.tst", re.IGNORECASE), "Zeitstempel im Container"),
    (
        re.compile(r"META-INF/[^/]*(?:evidencerecord|\.ers)[^/]*", re.IGNORECASE),
        "Beweisdaten (Evidence Record) im Container",
    ),
)
_ALGORITHMS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError,
    ValueError, KeyError, SyntaxError,
)  # fmt: skip


@dataclass
class Contents:
    """What was found in a container.

    Attributes:
        verdicts: One for each signature that was validated.
        unchecked: What else proves something and was not looked at; German.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


class _TooLarge(ValueError):
    """More than is unpacked to validate a signature."""


def contents(path: Path, workspace: Path, policy: Policy) -> Contents:
    """Validate the signatures of a container.

    Raises:
        Overdue: It takes more processor time than any signature does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Opened(archive, workspace, policy).contents()
    except _TooLarge as error:
        return Contents(unchecked=[str(error)])
    except _DAMAGE as error:
        return Contents([broken_off("ASiC-E", error)])


class _Opened:
    def __init__(self, archive: zipfile.ZipFile, workspace: Path, policy: Policy) -> None:
        self._archive = archive
        self._workspace = workspace
        self._policy = policy
        self._left = _MOST_BYTES
        names = [one for one in archive.namelist() if not one.endswith("/")]
        if len(names) > _MOST_MEMBERS:
            message = f"mehr als {_MOST_MEMBERS} Dateien im Container"
            raise _TooLarge(message)
        if len(set(names)) < len(names):
            message = "two members of one name"
            raise ValueError(message)
        self._names = names

    def contents(self) -> Contents:
        found = Contents(unchecked=list(self._unchecked()))
        signatures = [name for name in self._names if _CADES.fullmatch(name)]
        manifests = {
            name: self._manifest(name) for name in self._names if _MANIFEST.fullmatch(name)
        }
        for name in signatures:
            manifest = next((m for m, one in manifests.items() if one.signature == name), None)
            if manifest is not None:
                found.verdicts += self._of_list(name, manifest, manifests[manifest])
            else:
                found.verdicts += self._of_one(name)
        return found

    def _unchecked(self) -> Iterator[str]:
        if any(_XADES.fullmatch(name) for name in self._names):
            yield "XAdES-Signatur im Container"
        for pattern, called in _OTHERS:
            if any(pattern.fullmatch(name) for name in self._names):
                yield called

    def _data(self) -> list[str]:
        return [n for n in self._names if not n.startswith(_META) and n != "mimetype"]

    def _of_one(self, name: str) -> list[Verdict]:
        """Validate a signature over the only file of a simple container."""
        data = self._data()
        if len(data) != 1:
            return [malformed("ASiC-S", f"{name} signs one file, there are {len(data)}")]
        return of_bytes(self._small(name), self._unpacked(data[0]), "ASiC-S", self._policy)

    def _of_list(self, name: str, manifest: str, listed: _Manifest) -> list[Verdict]:
        """Validate a signature over a list of digests, and the digests."""
        found = of_bytes(self._small(name), self._unpacked(manifest), "ASiC-E", self._policy)
        if not all(self._fits(one) for one in listed.entries):
            found = unfitting(found)
        left = set(self._data()) - {one.name for one in listed.entries}
        if not left:
            return found
        detail = f"not covered by the signature: {', '.join(sorted(left))}"
        return [replace(one, look=True, modification="unclear", detail=detail) for one in found]

    def _fits(self, entry: _Entry) -> bool:
        if entry.name not in self._names:
            return False
        digest = hashlib.new(entry.algorithm)
        for block in self._blocks(entry.name):
            digest.update(block)
        return digest.digest() == entry.digest

    def _manifest(self, name: str) -> _Manifest:
        root = ElementTree.fromstring(self._small(name))
        signature, entries = "", []
        for element in root:
            kind = element.tag.rpartition("}")[2]
            if kind == "SigReference":
                signature = unquote(element.get("URI", ""))
            elif kind == "DataObjectReference":
                entries.append(_entry(element))
        return _Manifest(signature, tuple(entries))

    def _small(self, name: str) -> bytes:
        return b"".join(self._blocks(name, _LARGEST_DESCRIPTION))

    def _unpacked(self, name: str) -> Path:
        target = self._workspace / "signed-member"
        with target.open("wb") as file:
            for block in self._blocks(name):
                file.write(block)
        return target

    def _blocks(self, name: str, most: int = _MOST_BYTES) -> Iterator[bytes]:
        with self._archive.open(name) as member:
            while block := member.read(_CHUNK):
                self._left -= len(block)
                most -= len(block)
                if min(self._left, most) < 0:
                    message = f"mehr als {_MOST_BYTES // 1024**2} MiB im Container"
                    raise _TooLarge(message)
                yield block


@dataclass(frozen=True)
class _Entry:
    name: str
    algorithm: str
    digest: bytes


@dataclass(frozen=True)
class _Manifest:
    signature: str
    entries: tuple[_Entry, ...]


def _entry(element: Any) -> _Entry:
    parts = {one.tag.rpartition("}")[2]: one for one in element.iter()}
    uri = parts["DigestMethod"].get("Algorithm", "")
    if uri not in _ALGORITHMS:
        message = f"digest algorithm {uri}"
        raise ValueError(message)
    digest = base64.b64decode(parts["DigestValue"].text or "")
    return _Entry(unquote(element.get("URI", "")), _ALGORITHMS[uri], digest)
