"""The trust anchors of one moment: the house's roots and the trusted lists as they lie there.

A list counts only with the signature of one of the named signers, before the end it states
itself, and while its file is not older than the house allows. A list that does not count makes
answers unknown, never negative: that a provider is missing can be told from current lists only.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from asn1crypto import x509
from defusedxml import ElementTree
from pyhanko.sign.validation.qualified.eutl_parse import trust_list_to_registry
from pyhanko.sign.validation.qualified.tsp import TSPRegistry, TSPTrustManager
from pyhanko_certvalidator.authority import Authority, AuthorityWithCert, TrustAnchor
from pyhanko_certvalidator.registry import SimpleTrustManager
from typing_extensions import override

from ingest.document import Facts
from ingest.errors import Misconfigured, TrustUnknown
from workers.trust.pems import from_pem

if TYPE_CHECKING:
    from ingest.validation_settings import ValidationSettings

State = Literal["none", "current", "expired", "unreadable"]

_LARGEST_LIST: Final = 64 * 1024**2
_LIST: Final = "{http://uri.etsi.org/02231/v2#}TrustServiceStatusList"
_END: Final = (
    "{http://uri.etsi.org/02231/v2#}SchemeInformation/{http://uri.etsi.org/02231/v2#}NextUpdate/"
    "{http://uri.etsi.org/02231/v2#}dateTime"
)
_Identity = tuple[str, int, int]


class _Trust(TSPTrustManager):
    """Providers of the lists and roots of the house, as one set of anchors."""

    def __init__(self, registry: TSPRegistry, roots: list[x509.Certificate]) -> None:
        super().__init__(registry)
        self._roots = SimpleTrustManager.build(trust_roots=roots)

    @override
    def as_trust_anchor(self, authority: Authority) -> TrustAnchor | None:
        return super().as_trust_anchor(authority) or self._roots.as_trust_anchor(authority)

    @override
    def find_potential_issuers(self, cert: x509.Certificate) -> Generator[TrustAnchor, None, None]:
        yield from super().find_potential_issuers(cert)
        yield from self._roots.find_potential_issuers(cert)


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """Whom to believe.

    Attributes:
        manager: For path validation.
        registry: The qualified providers of the lists that count.
        state: Of the lists taken together: `current` only if every one of them counts.
        digest: SHA-256 over names and contents of the lists, None where there are none.
        roots: How many roots the house names.
        certificates: Of all anchors; whoever looks for the signer of a revocation list needs them.
        problems: What is wrong with lists that do not count; German.
    """

    manager: _Trust
    registry: TSPRegistry
    state: State
    digest: str | None
    roots: int
    certificates: tuple[x509.Certificate, ...]
    problems: tuple[str, ...] = ()

    def facts(self) -> Facts:
        """Return what a report says of them."""
        return {
            "roots": self.roots,
            "trusted_lists": self.state,
            "trusted_lists_sha256": self.digest,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, kw_only=True)
class _List:
    sha256: str
    end: dt.datetime | None = None
    registry: TSPRegistry = field(default_factory=TSPRegistry)
    problem: str = ""


def load(settings: ValidationSettings, now: dt.datetime) -> Anchors:
    """Return the anchors that count at `now`.

    Raises:
        Misconfigured: A PEM file is unreadable or holds no certificate. What is wrong with a
            list is told in `Anchors.problems` instead: the work goes on, its status unknown.
    """
    roots = from_pem(settings.roots, "validation.roots")
    registry, states, problems, digest = TSPRegistry(), set[State](), [], hashlib.sha256()
    paths = () if settings.trusted_lists is None else sorted(settings.trusted_lists.glob("*.xml"))
    for path in paths:
        found = _read(path, settings)
        digest.update(f"{path.name} {found.sha256}\n".encode())
        state, problem = _standing(path, found, settings, now)
        states.add(state)
        if state == "current":
            _add(registry, found.registry)
        else:
            problems.append(f"{path.name}: {problem}")
    if settings.trusted_lists is not None and not paths:
        states.add("unreadable")
        problems.append(f"{settings.trusted_lists}: der Ordner enthält keine Liste (*.xml)")
    return Anchors(
        manager=_Trust(registry, roots),
        registry=registry,
        state=_together(states),
        digest=digest.hexdigest() if paths else None,
        roots=len(roots),
        certificates=(*roots, *_listed(registry)),
        problems=tuple(problems),
    )


def _listed(registry: TSPRegistry) -> list[x509.Certificate]:
    return [
        one.certificate
        for one in registry.known_certificate_authorities
        if isinstance(one, AuthorityWithCert)
    ]


def require_current(settings: ValidationSettings, now: dt.datetime) -> None:
    """Require that every trusted list counts at `now`; for whoever looks after the installation.

    Raises:
        Misconfigured: See `load`.
        TrustUnknown: One does not; until then nobody is called qualified or not by it.
    """
    anchors = load(settings, now)
    if anchors.problems:
        text = (
            f"{'; '.join(anchors.problems)}. Bis dahin bleibt offen, wer qualifiziert ist; bitte "
            "die Abholung der Vertrauenslisten prüfen."
        )
        raise TrustUnknown(f"trusted lists {anchors.state}", operator_text=text)


def _together(states: set[State]) -> State:
    order: tuple[State, ...] = ("unreadable", "expired", "current")
    for state in order:
        if state in states:
            return state
    return "none"


def _read(path: Path, settings: ValidationSettings) -> _List:
    signers = settings.trusted_list_signers
    if signers is None:
        message = "trusted lists without signers"
        raise ValueError(message)
    try:
        return _parsed(_identity(path), _identity(signers))
    except OSError as error:
        return _List(sha256="", problem=f"nicht lesbar ({error.strerror})")


def _standing(
    path: Path, found: _List, settings: ValidationSettings, now: dt.datetime
) -> tuple[State, str]:
    if found.problem or found.end is None:
        return "unreadable", found.problem
    if now >= found.end:
        return "expired", f"die Liste galt bis {found.end:%d.%m.%Y}"
    fetched = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    oldest = now - dt.timedelta(hours=settings.trusted_list_max_age_hours)
    if fetched < oldest:
        hours = f"{settings.trusted_list_max_age_hours:g}"
        return "expired", f"zuletzt geholt am {fetched:%d.%m.%Y}, erlaubt sind {hours} Stunden"
    return "current", ""


@functools.lru_cache(maxsize=64)
def _parsed(identity: _Identity, signers: _Identity) -> _List:
    """Read and verify one list; both identities are part of the cache's key."""
    path = Path(identity[0])
    if path.stat().st_size > _LARGEST_LIST:
        return _List(sha256="", problem="größer als jede Vertrauensliste")
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        end = _end_of(content)
        certificates = from_pem(Path(signers[0]), "validation.trusted_list_signers")
        registry, _ = trust_list_to_registry(content.decode("utf-8"), certificates)
    except Misconfigured:
        raise
    # XML, signature and list parsers raise anything; every one of them means: does not count.
    except Exception as error:  # noqa: BLE001 - becomes a problem that a person is told
        return _List(sha256=sha256, problem=f"Signatur oder Inhalt nicht prüfbar ({error})"[:300])
    return _List(sha256=sha256, end=end, registry=registry)


def _end_of(content: bytes) -> dt.datetime:
    """Return the end that the list states.

    The list that was signed must be the whole document: inside another one, the end would be
    read from what nobody signed.
    """
    root = ElementTree.fromstring(content)
    if root.tag != _LIST or sum(1 for _ in root.iter(_LIST)) != 1:
        message = "the document is not one trusted list"
        raise ValueError(message)
    stated = root.findtext(_END)
    if stated is None:
        message = "the list is closed: it states no next update"
        raise ValueError(message)
    end = dt.datetime.fromisoformat(stated.strip())
    return end if end.tzinfo else end.replace(tzinfo=dt.UTC)


def _add(registry: TSPRegistry, found: TSPRegistry) -> None:
    authorities = (*found.known_certificate_authorities, *found.known_timestamp_authorities)
    for authority in set(authorities):
        for service in found.applicable_service_definitions(authority, None):
            _register(registry, service)


def _register(registry: TSPRegistry, service: Any) -> None:
    from pyhanko.sign.validation.qualified.tsp import CAServiceInformation

    if isinstance(service, CAServiceInformation):
        registry.register_ca(service)
    else:
        registry.register_tst(service)


def _identity(path: Path) -> _Identity:
    found = path.stat()
    return str(path), found.st_mtime_ns, found.st_size
