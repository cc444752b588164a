"""CMS signatures outside PDF (RFC 5652, CAdES: ETSI EN 319 122-1), with the content or beside it.

Several people may sign one container; each signature is judged for itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from asn1crypto import cms, core, pem
from pyhanko.sign.validation.policy_decl import LocalKnowledge
from pyhanko_certvalidator.revinfo.archival import CRLContainer

from workers.inspection.signatures import engine
from workers.inspection.signatures.engine import Policy
from workers.inspection.signatures.verdicts import Verdict, malformed

_MOST_SIGNERS: Final = 50
_CHUNK: Final = 1 << 20
_LOCKED: Final = frozenset({"enveloped_data", "signed_and_enveloped_data", "encrypted_data"})
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=\s]+")


class Unchecked(Exception):
    """There is no signature that could be validated here; the message says why, in German."""


class Container:
    """The signatures of one CMS container."""

    def __init__(self, content: bytes) -> None:
        """Read the container, DER, BER or PEM.

        Raises:
            Unchecked: It is encrypted, or holds no signature.
            ValueError: It is no CMS.
        """
        if pem.detect(content[:1024]):
            _, _, content = pem.unarmor(content)
        elif not content.startswith(b"\x30") and _BASE64.fullmatch(content):
            content = base64.b64decode(content)
        info = cms.ContentInfo.load(content)
        kind = info["content_type"].native
        if kind != "signed_data":
            raise Unchecked("verschlüsselt" if kind in _LOCKED else f"CMS der Art „{kind}“")
        self.data: Any = info["content"]
        self.signers = list(self.data["signer_infos"])
        if not self.signers:
            message = "enthält Zertifikate, aber keine Signatur"
            raise Unchecked(message)

    @property
    def is_detached(self) -> bool:
        """Whether the signed content lies elsewhere."""
        return self.data["encap_content_info"]["content"] is core.VOID

    def alone(self) -> Iterator[Any]:
        """Yield the container with one signer at a time, as the validator wants it."""
        for signer in self.signers[:_MOST_SIGNERS]:
            one = self.data.copy()
            one["signer_infos"] = cms.SignerInfos([signer])
            yield one

    def imprints(self) -> Iterator[tuple[str, bytes]]:
        """Yield algorithm and digest of the content that each signer means."""
        for signer in self.signers:
            if signer["signed_attrs"] is core.VOID:
                continue
            for one in signer["signed_attrs"]:
                if one["type"].native == "message_digest":
                    yield signer["digest_algorithm"]["algorithm"].native, one["values"][0].native


def verdicts(
    container: Container, content: Path | None, form: str, policy: Policy
) -> list[Verdict]:
    """Return one verdict for each signer.

    Args:
        container: What was read.
        content: The file that was signed, where it lies beside the signature; None where it is
            inside, or where it did not come.
        form: What kind of signature it is called; `CMS` becomes `CAdES` where it is one.
        policy: The rules.

    Raises:
        Overdue: It takes more processor time than any signature does.
    """
    return engine.run(lambda: _verdicts(container, content, form, policy))


async def _verdicts(
    container: Container, content: Path | None, form: str, policy: Policy
) -> list[Verdict]:
    found = []
    knowledge = _brought(container)
    for one in container.alone():
        called = "CAdES" if form == "CMS" and _is_ades(one) else form
        known = engine.signer_of(one)
        if container.is_detached and content is None:
            found.append(_without_content(called, known))
            continue
        work = _one(one, content if container.is_detached else None, called, policy, knowledge)
        found.append(await engine.attempt(called, work, **known))
    return found


async def _one(
    signed: Any, content: Path | None, form: str, policy: Policy, knowledge: LocalKnowledge
) -> Verdict:
    (signer,) = signed["signer_infos"]
    digest = None
    if content is not None:
        digest = digest_of(content, signer["digest_algorithm"]["algorithm"].native)
    result = await engine.assess(signed, digest, policy, knowledge)
    level = ("B-T" if engine.is_stamped(signed) else "B-B") if engine.is_ades(signed) else None
    return engine.judged(form, result, signed, policy, level=level)


def _without_content(form: str, known: Any) -> Verdict:
    return Verdict(
        form=form,
        indication="INDETERMINATE",
        subindication="SIGNED_DATA_NOT_FOUND",
        detail="detached signature without its content",
        **known,
    )


def _is_ades(signed: Any) -> bool:
    try:
        return engine.is_ades(signed)
    except (ValueError, TypeError, KeyError):
        return False


def _brought(container: Container) -> LocalKnowledge:
    """Return the revocation lists that lie in the container."""
    found: list[CRLContainer] = []
    with suppress(ValueError, TypeError, KeyError):
        crls = container.data["crls"]
        chosen = () if crls is core.VOID else crls
        found += [CRLContainer(one.chosen) for one in chosen if one.name == "crl"]
    return LocalKnowledge(known_crls=found)


def digest_of(path: Path, algorithm: str) -> bytes:
    """Return a file's digest; `algorithm` as hashlib names it."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.digest()


def opened(content: bytes) -> Container | Verdict:
    """Return the container, or the verdict that this is none.

    Raises:
        Unchecked: See `Container`.
    """
    try:
        return Container(content)
    except Unchecked:
        raise
    # asn1crypto raises anything on what is no ASN.1
    except Exception as error:  # noqa: BLE001 - says that it is no signature
        return malformed("CMS", f"{type(error).__name__}: {error}")


def of_bytes(content: bytes, signed: Path | None, form: str, policy: Policy) -> list[Verdict]:
    """Return the verdicts about a container given as bytes; what is no CMS has failed.

    Raises:
        Unchecked: See `Container`.
        Overdue: See `verdicts`.
    """
    container = opened(content)
    if isinstance(container, Container):
        return verdicts(container, signed, form, policy)
    return [replace(container, form=form)]


def unfitting(found: list[Verdict]) -> list[Verdict]:
    """Return the verdicts about a list of digests of which one does not fit: none holds."""
    broken: Any = {"indication": "TOTAL_FAILED", "subindication": "HASH_FAILURE", "intact": False}
    return [replace(one, **broken) for one in found]
