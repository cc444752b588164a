"""Folders that strangers could reach into are refused, with the remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ingest
from ingest.errors import UnsafeFolders
from ingest.settings import Settings, TenantSettings
from scanners.folder import check_folders


def _settings(data: Path, inbox: Path | None = None, outbox: Path | None = None) -> Settings:
    tenant = TenantSettings(inbox=inbox, outbox=outbox)
    settings = Settings(data=data, tenants={"default": tenant})
    for folder in (settings.inbox("default"), settings.outbox("default")):
        folder.mkdir(parents=True, exist_ok=True, mode=0o770)
    return settings


def _refusal(settings: Settings) -> str:
    with pytest.raises(UnsafeFolders) as caught:
        check_folders(settings)
    assert "Abhilfe:" in caught.value.operator_text
    return caught.value.operator_text


def test_the_usual_folders_are_fit(tmp_path: Path) -> None:
    check_folders(_settings(tmp_path / "data"))


def test_folders_that_do_not_exist_yet_are_fit(tmp_path: Path) -> None:
    check_folders(Settings(data=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_folder_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    settings.inbox("default").chmod(0o777)
    assert "chmod o-w" in _refusal(settings)


def test_a_profile_folder_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    (settings.inbox("default") / "archiv").mkdir()
    (settings.inbox("default") / "archiv").chmod(0o1777)
    assert "archiv" in _refusal(settings)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert "Symlink" in _refusal(_settings(tmp_path / "data", inbox=tmp_path / "link"))


def test_a_claim_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "data")
    (tmp_path / "elsewhere").mkdir()
    (settings.inbox("default") / ".claimed").symlink_to(tmp_path / "elsewhere")
    assert ".claimed" in _refusal(settings)


def test_a_claim_folder_on_another_file_system_is_refused(tmp_path: Path) -> None:
    other = Path("/proc")
    assert other.stat().st_dev != tmp_path.stat().st_dev
    settings = _settings(tmp_path)

    inbox = settings.inbox("default")
    (inbox / ".claimed").mkdir()
    real = Path.stat

    def stat(self, **named):  # type: ignore[no-untyped-def]  # as the method it stands for
        is_asked = self.name == ".claimed" and not named
        return real(other if is_asked else self, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "stat", stat)
        assert "Datenträger" in _refusal(settings)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    settings.outbox("default").rmdir()
    settings.outbox("default").write_bytes(b"")
    assert "kein Ordner" in _refusal(settings)


@pytest.mark.parametrize(
    ("inbox", "outbox"),
    [
        ("post", "post"),
        ("post", "post/outbox"),
        ("out/inbox", "out"),
        ("data/store/inbox", "out"),
        ("data/keys", "out"),
        (".", "out"),
    ],
)
def test_folders_that_overlap_are_refused(tmp_path: Path, inbox: str, outbox: str) -> None:
    settings = _settings(tmp_path / "data", inbox=tmp_path / inbox, outbox=tmp_path / outbox)
    assert "überschneidet" in _refusal(settings)


def test_a_link_in_the_path_does_not_hide_an_overlap(tmp_path: Path) -> None:
    (tmp_path / "data" / "store").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(tmp_path / "data")
    inbox = tmp_path / "alias" / "store" / "inbox"
    assert "Ablage" in _refusal(_settings(tmp_path / "data", inbox=inbox))


def test_two_tenants_may_not_share_an_inbox(tmp_path: Path) -> None:
    tenants = {name: TenantSettings(inbox=tmp_path / "post") for name in ("a", "b")}
    (tmp_path / "post").mkdir()
    assert "überschneidet" in _refusal(Settings(data=tmp_path / "data", tenants=tenants))


@pytest.mark.parametrize("folder", [Path(ingest.__file__).parent, Path(sys.prefix)])
def test_an_inbox_among_the_program_is_refused(tmp_path: Path, folder: Path) -> None:
    if folder == Path(sys.base_prefix):
        pytest.skip("no virtual environment here")
    tenant = TenantSettings(inbox=folder / "inbox")
    assert "überschneidet" in _refusal(Settings(data=tmp_path, tenants={"default": tenant}))
