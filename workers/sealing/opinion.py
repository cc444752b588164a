"""A third look at fresh seals: pyHanko's own validation, at the first ones and then now and then.

Every seal is proven by `proof`, which costs a fourth of making it. What pyHanko says of trust,
timestamp and later changes costs as much as the seal again, or twice as much; so it is asked
where something is new (a key, a level, an authority, a process) and of a sample of the rest, for
what slips in while a process runs. Large files are left to `proof`: pyHanko's validation keeps
all of a file in memory.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from asn1crypto import x509
from cryptography.hazmat.primitives import hashes

from workers.sealing.levels import Means
from workers.sealing.proof import Seal, SealBroken
from workers.sealing.signing import as_asn1
from workers.sealing.validation import NotValidated, Validation, validate

#: Of each kind so many are looked at, and later one in so many; our own choice.
FIRST: Final = 2
EVERY: Final = 50
LARGEST: Final = 8 * 1024 * 1024
_made: Counter[tuple[bytes, str, str | None]] = Counter()


def confirm(path: Path, seal: Seal, means: Means, *, always: bool = False) -> bool:
    """Let pyHanko validate a fresh seal if it is its turn; return whether it did.

    Args:
        path: The sealed file.
        seal: As it was proven.
        means: What it was made with.
        always: It is its turn whatever was made before; a file that is too large has none.

    Raises:
        SealBroken: It must not be used.
    """
    used = None if means.stamper is None else means.stamper.used
    kind = (means.key.certificate.fingerprint(hashes.SHA256()), means.level, used)
    _made[kind] += 1
    turn = always or _made[kind] <= FIRST or _made[kind] % EVERY == 0
    if not turn or path.stat().st_size > LARGEST:
        return False
    top = (means.key.certificate, *means.key.issuers)
    roots = [as_asn1(one) for one in top if one.issuer == one.subject]
    authorities = [as_asn1(one) for one in means.tsa_roots]
    try:
        found = validate(path, seal.field, roots, authorities)
    except NotValidated as error:
        raise SealBroken(f"not validated: {error}") from error
    if doubt := _doubt(found, means, authorities):
        raise SealBroken(f"validated and refused: {doubt}")
    return True


def _doubt(found: Validation, means: Means, authorities: list[x509.Certificate]) -> str | None:
    if not (found.sound and found.trusted):
        return "signature or trust"
    if found.changed or found.loose:
        return f"changes after the seal: {found.changed or found.loose}"
    if means.level != "B-B" and (found.timestamp is None or not found.timestamp.intact):
        return "timestamp"
    if authorities and found.proven != means.level:
        return f"level {found.proven} instead of {means.level}"
    return None
