"""Profiles: rules as data, versioned by hand and identified by the digest of their file.

Shipped profiles lie beside this module; a house lays its own into a folder, where a file of
the same name takes the place of the shipped one. Every record names profile, version and
digest, so that years later it is known by which rules a document was treated.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from ingest.errors import ProfileInvalid
from profiles.model import NAME_PATTERN, Profile
from profiles.routing import RoutingRule, is_department

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from ingest.document import Facts

__all__ = [
    "LoadedProfile",
    "Profile",
    "RoutingRule",
    "check_classes",
    "example_names",
    "is_department",
    "load",
    "load_example",
    "load_file",
    "load_outgoing",
    "load_released",
    "made_from_example",
    "names",
]

_SHIPPED: Final = Path(__file__).parent
_EXAMPLES: Final = _SHIPPED / "examples"
_NAME_LINE: Final = re.compile(r'^name = "[^"]*"$', re.MULTILINE)
_MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class LoadedProfile:
    """A profile and the digest of the file it was read from.

    Attributes:
        sha256: Of the file's bytes, comments included.
        path: The file, for messages; not part of any record.
        content: The file's bytes, for whoever releases exactly these.
    """

    profile: Profile
    sha256: str
    path: Path
    content: bytes = field(default=b"", repr=False)

    def facts(self) -> Facts:
        """Return the profile as JSON object, as a batch keeps it."""
        return self.profile.model_dump(mode="json")


def names(house: Path | None = None) -> list[str]:
    """Return the names of all profiles, shipped and the house's own, released or not."""
    folders = [_SHIPPED] if house is None else [_SHIPPED, house]
    found = {file.stem for folder in folders for file in folder.glob("*.toml")}
    return sorted(name for name in found if re.fullmatch(NAME_PATTERN, name))


def load(name: str, house: Path | None = None) -> LoadedProfile:
    """Read and check the profile `name`; the house's own file wins over the shipped one.

    Raises:
        ProfileInvalid: There is no such profile, the file is not readable TOML, or a key is
            unknown or wrong. The text names file, key and remedy; nothing is half loaded.
    """
    return load_file(_find(name, house), name)


def load_file(path: Path, name: str) -> LoadedProfile:
    """Read and check a file that is, or is to become, the profile `name`.

    Raises:
        ProfileInvalid: As `load`.
    """
    try:
        content = path.read_bytes()
        values = tomllib.loads(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise _invalid(path, f"Die Datei ist nicht lesbar: {error}") from error
    if len(content) > _MAX_BYTES:
        raise _invalid(path, f"Die Datei ist größer als {_MAX_BYTES} Bytes.")
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(_explain(problem) for problem in error.errors())
        raise _invalid(path, f"Bitte berichtigen oder entfernen: {problems}") from error
    if profile.name != name:
        text = f"name: steht auf '{profile.name}', muss wie die Datei '{name}' heißen."
        raise _invalid(path, text)
    digest = hashlib.sha256(content).hexdigest()
    return LoadedProfile(profile=profile, sha256=digest, path=path, content=content)


def example_names() -> list[str]:
    """Return the names of the example classes, which nobody can work with as they are."""
    return sorted(file.stem for file in _EXAMPLES.glob("*.toml"))


def load_example(name: str) -> LoadedProfile:
    """Read an example class.

    Raises:
        ProfileInvalid: There is no example of this name.
    """
    if name not in example_names():
        text = f"Beispielklasse '{name}' gibt es nicht. Vorhanden: {', '.join(example_names())}."
        raise ProfileInvalid(f"no example named {name!r}", operator_text=text)
    return load_file(_EXAMPLES / f"{name}.toml", name)


def made_from_example(example: str, name: str) -> str:
    """Return the text of an example class under another name, for the house to complete.

    Raises:
        ProfileInvalid: There is no such example, or `name` cannot name a profile.
    """
    if re.fullmatch(NAME_PATTERN, name) is None:
        text = f"'{name}' kann kein Profil heißen; erlaubt ist das Muster {NAME_PATTERN}."
        raise ProfileInvalid(f"no profile can be named {name!r}", operator_text=text)
    written = load_example(example).content.decode("utf-8")
    return _NAME_LINE.sub(f'name = "{name}"', written, count=1)


def load_released(name: str, house: Path | None = None) -> LoadedProfile:
    """Like `load`, for work that starts now.

    Raises:
        ProfileInvalid: As `load`, and where the profile is not released, is on the negative
            list or is for what leaves the house.
    """
    loaded = load(name, house)
    if loaded.profile.outgoing is not None:
        text = (
            f"outgoing: Das Profil '{name}' ist für ausgehende Schreiben („seal-outgoing“) und "
            "nimmt keinen Eingang an. Bitte ein anderes wählen, z. B. 'posteingang'."
        )
        raise _invalid(loaded.path, text)
    if loaded.profile.treatment == "not_scanned":
        text = (
            f"treatment: Die Klasse '{name}' steht auf der Negativliste und wird nicht gescannt. "
            "Bitte das Papier unverändert der zuständigen Stelle geben."
        )
        raise _invalid(loaded.path, text)
    return _released(loaded)


def load_outgoing(name: str, house: Path | None = None) -> LoadedProfile:
    """Like `load`, for a document that leaves the house now.

    Raises:
        ProfileInvalid: As `load`, and where the profile is not released or not for outgoing
            documents.
    """
    loaded = load(name, house)
    if loaded.profile.outgoing is None:
        text = (
            f"outgoing: Das Profil '{name}' ist keines für ausgehende Schreiben. Muster ist "
            "'bescheid'; bitte in den Profilordner des Hauses kopieren und dort freigeben."
        )
        raise _invalid(loaded.path, text)
    return _released(loaded)


def _released(loaded: LoadedProfile) -> LoadedProfile:
    name = loaded.profile.name
    if not loaded.profile.released:
        reason = (
            "Das ersetzende Profil ist eine Vorlage: im eigenen Profilordner Rechtsgrundlage und "
            "Verfahrensdokumentation eintragen, 'released = true' setzen und durch eine zweite "
            "Person freigeben lassen. Bis dahin bitte ein kopierendes Profil wählen, z. B. "
            "'posteingang', und das Papier aufbewahren."
            if loaded.profile.treatment == "replacing"
            else "Nach Prüfung durch die Scanleitung dort 'released = true' setzen."
        )
        text = f"released: Das Profil '{name}' ist nicht freigegeben. {reason}"
        raise _invalid(loaded.path, text)
    return loaded


def check_classes(loaded: LoadedProfile, house: Path | None = None) -> None:
    """Check that every class a profile hands documents over to can be used.

    Raises:
        ProfileInvalid: One does not exist or is not released; the text names both profiles.
    """
    for name in loaded.profile.separation.named_classes:
        try:
            load_released(name, house)
        except ProfileInvalid as error:
            text = f"separation nennt die Klasse '{name}': {error.operator_text}"
            raise _invalid(loaded.path, text) from error


def _find(name: str, house: Path | None) -> Path:
    known = re.fullmatch(NAME_PATTERN, name) is not None
    for folder in (house, _SHIPPED):
        if known and folder is not None and (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    text = (
        f"Profil '{name}' gibt es nicht. Vorhanden: {', '.join(names(house))}. "
        "Bitte eines davon wählen oder die Datei im Profilordner des Hauses anlegen."
    )
    message = f"no profile named {name!r}"
    raise ProfileInvalid(message, operator_text=text)


def _invalid(path: Path, problem: str) -> ProfileInvalid:
    return ProfileInvalid(f"{path}: {problem}", operator_text=f"Profil {path}: {problem}")


def _explain(problem: ErrorDetails) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "(ganze Datei)"
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            said = "unbekannter Schlüssel"
        case "missing":
            said = "fehlt"
        case "literal_error":
            said = f"erlaubt sind {context['expected'].replace(' or ', ' oder ')}"
        case "string_pattern_mismatch":
            said = f"erlaubt ist das Muster {context['pattern']}"
        case "value_error":
            said = str(context["error"])
        case "greater_than_equal" | "less_than_equal":
            bounds = {"ge": "mindestens", "le": "höchstens"}
            said = " und ".join(f"{bounds[name]} {limit}" for name, limit in context.items())
        case "string_type" | "bool_type" | "int_type" | "tuple_type" | "model_type":
            kinds = {"string": "Text", "bool": "true oder false", "int": "ganze Zahl"}
            said = f"erwartet {kinds.get(problem['type'].removesuffix('_type'), 'Liste/Tabelle')}"
        case _:
            said = problem["msg"]
    return f"{key}: {said}"
