"""`batch.json` and `<file>.json`: what a station says about its stack.

All keys are optional, unknown ones are refused: a mistyped `recieved_at` would otherwise
cost a date that nobody misses until a deadline has passed.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeGuard
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from ingest import clock
from ingest.document import OPERATOR_CODE_RULE, Sides, is_operator_code
from ingest.errors import ManifestInvalid

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MAX_BYTES: Final = 8 * 1024 * 1024
#: What no ledger keeps as text: control characters and halves of characters.
_UNKEPT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: What no file is called: halves of characters that stand for no byte of a name.
_UNNAMEABLE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_REMEDY: Final = "Bitte die Datei berichtigen und den Stapel erneut einreichen."


def _moment(value: object, context: ValidationInfo) -> object:
    """Read a date or time; without a zone it is that of the house."""
    if value is None or isinstance(value, dt.datetime):
        return value
    try:
        moment = dt.datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        said = repr(value)[:40]
        message = f"{said} ist kein Datum wie 2026-11-20 oder 2026-11-20T08:30:00+01:00"
        raise ValueError(message) from None
    if not dt.MINYEAR < moment.year < dt.MAXYEAR:  # in another zone it may have no year at all
        message = f"{value!r} liegt außerhalb des Kalenders"
        raise ValueError(message)
    if moment.tzinfo is None:
        zone = (context.context or {}).get("zone", "Europe/Berlin")
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(dt.UTC)


def _plain_name(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name or "\x00" in name:
        raise ValueError("erwartet den Namen einer Datei ohne Ordner")
    if _UNNAMEABLE.search(name):
        raise ValueError("enthält halbe Zeichen")
    return name


def _past(moment: dt.datetime | None) -> dt.datetime | None:
    if moment is not None and clock.lies_ahead(moment):
        raise ValueError("liegt in der Zukunft")
    return moment


def _code(text: str) -> str:
    # Not repeated in the message: what may be a name belongs into no record.
    if text and not is_operator_code(text):
        message = f"ist kein Kürzel, bitte keinen Namen angeben ({OPERATOR_CODE_RULE})"
        raise ValueError(message)
    return text


def _printable(text: str) -> str:
    if _UNKEPT.search(text):
        raise ValueError("enthält Steuerzeichen")
    return text


Moment = Annotated[dt.datetime | None, BeforeValidator(_moment)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Short = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ManifestSource(_Strict):
    """A file of the stack, by the name it has in the folder."""

    name: Annotated[str, AfterValidator(_plain_name)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None


class Manifest(_Strict):
    """What the station says; None where it says nothing.

    Attributes:
        sides: How the sheets lie in the stack, where the profile does not say it or says it
            differently.
        sources: The files in order; None means those that lie beside the manifest.
    """

    profile: Short | None = None
    operator: Annotated[Short, AfterValidator(_code)] | None = None
    received_at: Annotated[Moment, AfterValidator(_past)] = None
    scanned_at: Moment = None
    device: Short | None = None
    storage_place: Short | None = None
    expected_sheets: Count | None = None
    expected_consignments: Count | None = None
    sides: Annotated[Sides, Field(strict=False)] | None = None
    sources: Annotated[tuple[ManifestSource, ...], Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _names_once(self) -> Manifest:
        names = [unicodedata.normalize("NFC", source.name) for source in self.sources or ()]
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            name = _UNKEPT.sub("\ufffd", twice[0])
            message = f"sources nennt „{name}“ mehrfach"
            raise ValueError(message)
        return self


def parse_manifest(path: Path, zone: str = "Europe/Berlin") -> Manifest:
    """Read and check a manifest; dates without time are midnight in `zone`.

    Raises:
        ManifestInvalid: It is no JSON object, or a key is unknown or wrong; the text names
            file, field and remedy. `named_sources` may still tell which files it meant.
        OSError: It is gone or out of reach.
    """
    values = _values(path)
    if isinstance(values, str):
        raise _invalid(path, values)
    try:
        return Manifest.model_validate(values, context={"zone": zone})
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        raise _invalid(path, "; ".join(_explain(problem) for problem in problems)) from error


def named_sources(path: Path) -> tuple[str, ...]:
    """Return the file names in `sources`, as far as they can be told, of any manifest.

    Raises:
        OSError: It is gone or out of reach.
    """
    values = _values(path)
    sources = values.get("sources") if isinstance(values, Mapping) else None
    if not isinstance(sources, list):
        return ()
    names = (entry.get("name") for entry in sources if isinstance(entry, Mapping))
    return tuple(dict.fromkeys(name for name in names if _is_nameable(name)))


def _is_nameable(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and not _UNNAMEABLE.search(name)


def _values(path: Path) -> Mapping[str, Any] | str:
    """Return the JSON object in `path`, or what is wrong with it."""
    with path.open("rb") as stream:
        content = stream.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        return f"größer als {_MAX_BYTES} Byte"
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return f"kein gültiges JSON ({error})"
    return values if isinstance(values, dict) else "erwartet ein JSON-Objekt { … }"


def _invalid(path: Path, problem: str) -> ManifestInvalid:
    text = _UNKEPT.sub("\ufffd", f"{path.name}: {problem}. {_REMEDY}")
    return ManifestInvalid(f"manifest {path.name!a}: {problem!a}", operator_text=text)


_SAID: Final = MappingProxyType(
    {
        "extra_forbidden": "unbekannter Schlüssel",
        "missing": "fehlt",
        "string_pattern_mismatch": "erwartet 64 hexadezimale Ziffern",
        "string_type": "erwartet Text",
        "string_unicode": "enthält halbe Zeichen",
        "string_too_short": "darf nicht leer sein",
        "int_type": "erwartet eine ganze Zahl",
        "enum": f"erlaubt sind {', '.join(Sides)}",
        "tuple_type": "erwartet eine Liste von {name, sha256}",
        "model_type": "erwartet {name, sha256}",
        "model_attributes_type": "erwartet {name, sha256}",
    }
)


def _explain(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "(ganze Datei)"
    if problem["type"] == "value_error":
        return f"{field}: {problem['ctx']['error']}"
    return f"{field}: {_SAID.get(problem['type'], problem['msg'])}"
