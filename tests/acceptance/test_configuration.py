"""What is wrong with an installation is said at the start, in German, with exit code 9."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.installation import Installation


def test_a_sound_installation_passes_its_check(installation: Installation) -> None:
    finished = installation.call("check")
    assert finished.returncode == 0, finished.stdout
    assert all(line["passed"] for line in installation.json_lines("check"))


@pytest.mark.parametrize("command", ["check", "run", "list"])
def test_an_unknown_key_stops_every_command_and_is_named(
    installation: Installation, command: str
) -> None:
    with installation.config.open("a", encoding="utf-8") as config:
        config.write("[house]\norganization = 'Stadt'\n")
    finished = installation.command(command)
    assert finished.returncode == 9
    assert "house.organization" in finished.stdout + finished.stderr


def test_a_config_that_is_no_toml_is_named(installation: Installation) -> None:
    installation.config.write_text("data = \n", "utf-8")
    finished = installation.call("check")
    assert finished.returncode == 9
    assert str(installation.config) in finished.stdout + finished.stderr


def test_a_profile_of_the_house_with_an_unknown_key_is_named(
    installation: Installation, tmp_path: Path
) -> None:
    house = tmp_path / "profile"
    house.mkdir()
    (house / "posteingang.toml").write_text('name = "posteingang"\nfarbe = "rot"\n', "utf-8")
    before = installation.config.read_text("utf-8")
    installation.config.write_text(f'profiles = "{house}"\n{before}', "utf-8")
    finished = installation.call("check")
    assert finished.returncode == 9
    assert "farbe" in finished.stdout
    assert "posteingang.toml" in finished.stdout


def test_folders_that_overlap_or_are_open_to_everybody_stop_the_start(
    installation: Installation, tmp_path: Path
) -> None:
    installation.inbox.chmod(0o777)
    finished = installation.command("run")
    assert finished.returncode == 9
    assert str(installation.inbox) in finished.stderr
    installation.inbox.chmod(0o770)
    with installation.config.open("a", encoding="utf-8") as config:
        config.write(f'[tenants.default]\noutbox = "{installation.inbox / "aus"}"\n')
    assert installation.call("check").returncode == 9


def test_a_mistyped_command_is_a_usage_error(installation: Installation) -> None:
    assert installation.command("recieve").returncode == 2
    assert installation.call("receive").returncode == 2
