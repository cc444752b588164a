"""Configuration of an installation: one TOML file, environment variables, strict keys.

An unknown key is an error, because a mistyped limit that is silently ignored costs more
than a start that fails. Secrets (database and broker URLs) may be given by environment
variable or, where container engines put them, as files `/run/secrets/scanstrasse_ledger_url`,
`…_persons_url` and `…_redis_url`; they appear in no log and no process list.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from ingest.document import DEFAULT_TENANT
from ingest.errors import Misconfigured
from ingest.scanner_settings import ScannersSettings
from ingest.sealing_settings import EvidenceSettings, SealingSettings
from ingest.upload_settings import UploadSettings
from ingest.validation_settings import ValidationSettings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SECRETS = Path("/run/secrets")

#: Names a folder, a part of a blob's key and a column: nothing that could lead elsewhere.
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TenantSettings(_Section):
    """Folders of one tenant; None means below the data folder."""

    inbox: Path | None = None
    outbox: Path | None = None


class FolderSettings(_Section):
    """The watch folder. All times in seconds."""

    settle_seconds: float = Field(2.0, ge=0)  #: size and mtime unchanged for this long
    rescan_seconds: float = Field(5.0, gt=0)  #: the full listing, which is the truth
    unknown_writer_seconds: float = Field(30.0, ge=0)  #: no end mark, and it may be open
    give_up_seconds: float = Field(900.0, gt=0)  #: an incomplete file is accepted as held
    abandoned_seconds: float = Field(60.0, gt=0)  #: a claim nobody touches returns
    polling: bool = False  #: for network shares, which deliver no events


class StoreSettings(_Section):
    """Where bytes are kept."""

    kind: Literal["folder", "s3"] = "folder"
    #: PDFs before note and seal go after delivery: of confidential classes, or of all.
    intermediates: Literal["by_need", "remove"] = "by_need"
    bucket: str = "scanstrasse"
    endpoint_url: str | None = None
    region: str = "eu-central-1"
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


class WorkerSettings(_Section):
    """Child processes and their limits."""

    processes: int | None = Field(None, ge=1)  #: children for recognition; None: one per core
    memory_bytes: int = Field(2 * 1024**3, ge=256 * 1024**2)  #: address space of one child
    page_seconds: float = Field(180.0, gt=0)  #: recognition of one page
    lease_seconds: float = Field(30.0, gt=1)  #: a claim without heartbeat ends after this
    attempts: int = Field(4, ge=1)  #: the last failed try holds the unit
    backoff_seconds: float = Field(5.0, ge=0)  #: first pause, doubled each time, with jitter
    sweep_seconds: float = Field(2.0, gt=0)
    max_pixels: int = Field(150_000_000, gt=0)  #: A0 at 300 dpi has 139.5 million
    recognition_pixels: int = Field(40_000_000, gt=0)  #: larger pages are reduced for OCR


class LogSettings(_Section):
    """How many days entries of the log are kept that belong to no document.

    Our own choice: data protection asks for short, the proof of proper operation for long
    times. What concerns a document is kept and erased with it.
    """

    configuration_days: int = Field(3650, ge=1)
    use_days: int = Field(90, ge=1)
    errors_days: int = Field(180, ge=1)

    def kept(self) -> dict[str, dt.timedelta]:
        """Return how long each family is kept."""
        return {
            name.removesuffix("_days"): dt.timedelta(days=days)
            for name, days in self.model_dump().items()
        }


class HouseSettings(_Section):
    """Who runs the installation, for notes and texts.

    A transfer note needs organisation, place and unit; `client` is on whose behalf is scanned,
    where that is another organisation.
    """

    organisation: str = "nicht erfasst"
    place: str = "nicht erfasst"
    unit: str = "nicht erfasst"
    client: str = "nicht erfasst"
    zone: str = "Europe/Berlin"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            message = f"„{zone}“ ist keine Zeitzone, z. B. Europe/Berlin"
            raise ValueError(message) from error
        return zone


class Settings(BaseSettings):
    """Everything configurable, checked as a whole at start-up."""

    model_config = SettingsConfigDict(
        env_prefix="SCANSTRASSE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
    )

    data: Path = Path("data")
    ledger_url: SecretStr | None = None  #: SQLAlchemy URL; default: SQLite below the data folder
    persons_url: SecretStr | None = None  #: names of operators; default: a file of its own
    redis_url: SecretStr | None = None  #: hints for workers on other machines
    profiles: Path | None = None  #: folder with the house's own profiles
    tenants: dict[str, TenantSettings] = Field(
        default_factory=lambda: {DEFAULT_TENANT: TenantSettings()}
    )
    house: HouseSettings = HouseSettings()
    folder: FolderSettings = FolderSettings()
    store: StoreSettings = StoreSettings()
    workers: WorkerSettings = WorkerSettings()
    sealing: SealingSettings = SealingSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    validation: ValidationSettings = ValidationSettings()
    log: LogSettings = LogSettings()
    scanners: ScannersSettings = ScannersSettings()
    upload: UploadSettings | None = None  #: scan stations over HTTP; None: only `serve` does that

    @field_validator("tenants")
    @classmethod
    def _with_default(cls, tenants: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
        """Naming other tenants takes nothing away from the default one, whose inbox is in use."""
        wrong = [name for name in tenants if not _TENANT.fullmatch(name)]
        if wrong:
            message = (
                f"„{wrong[0]}“ ist kein Mandantenname: erlaubt sind kleine Buchstaben, Ziffern "
                "und Bindestrich, höchstens 63 Zeichen"
            )
            raise ValueError(message)
        return {DEFAULT_TENANT: TenantSettings()} | tenants

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let environment variables win over secret files, and those over the configuration."""
        del settings_cls, dotenv_settings
        return env_settings, file_secret_settings, init_settings

    def inbox(self, tenant: str) -> Path:
        """Return the watch folder of `tenant`; every tenant has its own root."""
        own = self.tenants[tenant].inbox
        return own or self._root(tenant) / "inbox"

    def outbox(self, tenant: str) -> Path:
        """Return the folder target of `tenant`."""
        own = self.tenants[tenant].outbox
        return own or self._root(tenant) / "outbox"

    def _root(self, tenant: str) -> Path:
        return self.data if tenant == DEFAULT_TENANT else self.data / "tenants" / tenant

    @property
    def landing(self) -> Path:
        """Folder of pages that stations are handing over."""
        return self.data / "upload"

    @property
    def keys(self) -> Path:
        """Folder of the installation key."""
        return self.sealing.key_folder or self.data / "keys"

    @property
    def anchors(self) -> Path:
        """Folder of the anchors (`ingest.ledger.anchors`)."""
        return self.evidence.anchors or self.data / "anchors"

    def for_children(self, *, sealing: bool = False) -> dict[str, Any]:
        """Return the settings a child process needs, as JSON values.

        The addresses of ledger, names and broker are left out: whoever reads foreign bytes is
        not handed them. Where keys are is told only to children that seal. (A child that was
        taken over still has the rights of the service's user; keeping those apart takes a
        user of its own for reading workers.) Store keys are included and travel through a
        pipe only.
        """
        hidden = {"ledger_url", "persons_url", "redis_url", "scanners", "upload"} | (
            set() if sealing else {"sealing"}
        )
        plain = self.model_dump(mode="json", exclude=hidden)
        for name in ("access_key", "secret_key"):
            secret: SecretStr | None = getattr(self.store, name)
            plain["store"][name] = None if secret is None else secret.get_secret_value()
        return plain

    def ledger_address(self) -> str:
        """Return the ledger's URL with its password: never log it."""
        if self.ledger_url is not None:
            return self.ledger_url.get_secret_value()
        return f"sqlite:///{self.data / 'ledger.sqlite'}"

    def names_address(self) -> str:
        """Return the URL of the store of names with its password: never log it."""
        if self.persons_url is not None:
            return self.persons_url.get_secret_value()
        return f"sqlite:///{self.data / 'persons' / 'persons.sqlite'}"


class _Passed(Settings):
    """Settings that came through a pipe; environment and secret files are not looked at."""

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what was passed."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def in_child(plain: dict[str, Any]) -> Settings:
    """Return the settings that `Settings.for_children` made."""
    return _Passed(**plain)


def load(data: Path | None, config: Path | None) -> Settings:
    """Read the configuration file, the environment and the command line, in rising order.

    Raises:
        Misconfigured: The file does not parse, or a key is unknown or wrong; nothing was started.
    """
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text("utf-8"))
        except (OSError, ValueError) as error:
            text = f"Konfigurationsdatei {config} ist nicht lesbar: {error}"
            message = f"configuration file {config}: {error}"
            raise Misconfigured(message, operator_text=text) from error
    try:
        loaded = Settings(**values)
    except ValidationError as error:
        raise Misconfigured(str(error), operator_text=_explain(error)) from error
    return loaded if data is None else loaded.model_copy(update={"data": data.absolute()})


def _explain(error: ValidationError) -> str:
    lines = [
        f"{'.'.join(str(part) for part in problem['loc'])}: {_german(problem)}"
        for problem in error.errors(include_input=False)
    ]
    return (
        "Konfiguration abgelehnt – bitte diese Schlüssel berichtigen oder entfernen: "
        + "; ".join(lines)
    )


def _german(problem: ErrorDetails) -> str:
    """Return what is wrong with a value, in the words of whoever runs the installation."""
    context = problem.get("ctx", {})
    if problem["type"] == "value_error":
        return str(context.get("error", problem["msg"]))
    known = {
        "extra_forbidden": "unbekannter Schlüssel",
        "missing": "fehlt",
        "bool_parsing": "muss true oder false sein",
        "float_parsing": "muss eine Zahl sein",
        "int_parsing": "muss eine ganze Zahl sein",
        "int_type": "muss eine ganze Zahl sein",
        "float_type": "muss eine Zahl sein",
        "string_type": "muss ein Text sein",
        "path_type": "muss ein Pfad sein",
        "literal_error": f"erlaubt ist nur {context.get('expected')}",
        "greater_than": f"muss größer als {context.get('gt')} sein",
        "greater_than_equal": f"muss mindestens {context.get('ge')} sein",
    }
    return known.get(problem["type"], problem["msg"])
