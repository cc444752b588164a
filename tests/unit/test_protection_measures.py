"""Every combination of needs has the measures it demands, or is no profile; the examples too."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

import profiles
from ingest.errors import ProfileInvalid
from profiles.protection import NEEDS
from tests.plugins.releases import profile_text

#: TR-03138 V1.5, 4.3: what the need for integrity demands of means and timestamp (A.AM.IN.H.1,
#: A.AM.IN.SH.2) and, our choice but for "very high", of the share that persons look at.
DEMANDED: dict[str, tuple[set[str], set[str | None], float]] = {
    "normal": ({"aseal", "qseal", "aes", "qes"}, {"none", "ts", "qts", None}, 0.02),
    "high": ({"qseal", "qes"}, {"none", "ts", "qts", None}, 0.2),
    "very_high": ({"qseal", "qes"}, {"qts"}, 1.0),
}
#: Need for integrity, confidentiality, availability as E-Scannen, Anlage D has them.
EXAMPLES = {
    "anschreiben": ("normal", "normal", "normal"),
    "antragsunterlagen": ("high", "normal", "high"),
    "bescheid-eingehend": ("high", "normal", "normal"),
    "buergeranfrage": ("normal", "normal", "normal"),
    "personalunterlagen": ("high", "high", "high"),
    "rechnung": ("normal", "normal", "normal"),
    "verschlusssache": ("very_high", "very_high", "very_high"),
}


@pytest.mark.parametrize("need", list(product(NEEDS, repeat=3)), ids="-".join)
def test_the_measures_are_there_or_the_class_is_refused(
    need: tuple[str, str, str], tmp_path: Path
) -> None:
    means, stamps, share = DEMANDED[need[0]]
    path = tmp_path / "klasse.toml"
    path.write_text(profile_text(need), encoding="utf-8")
    profile = profiles.load_released("klasse", tmp_path).profile
    assert profile.sealing.means in means
    assert profile.sealing.stamp in stamps
    assert profile.quality.share >= share
    assert profile.quality.check != "none"
    path.write_text(profile_text(need, strong=False), encoding="utf-8")
    if need[0] == "normal":
        assert profiles.load("klasse", tmp_path).profile.sealing.means in means
        return
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load("klasse", tmp_path)
    assert "verlangt sealing.means qseal oder qes" in caught.value.operator_text
    assert "quality.share" in caught.value.operator_text


@pytest.mark.parametrize("need", NEEDS)
def test_at_very_high_no_document_is_delivered_before_it_was_looked_at(
    need: str, tmp_path: Path
) -> None:
    text = profile_text((need, "normal", "normal")).replace("before_delivery", "by_clerk")
    (tmp_path / "klasse.toml").write_text(text, encoding="utf-8")
    if need != "very_high":
        assert profiles.load("klasse", tmp_path).profile.quality.check == "by_clerk"
        return
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load("klasse", tmp_path)
    assert 'verlangt quality.check = "before_delivery"' in caught.value.operator_text


@pytest.mark.parametrize("level", ["", 'level = "B-B"\n'])
@pytest.mark.parametrize("need", ["high", "very_high"])
def test_no_level_is_too_weak_as_the_configuration_might_make_a_lower_one(
    need: str, level: str, tmp_path: Path
) -> None:
    text = profile_text((need, "normal", "normal")).replace(
        'stamp = "qts"\nlevel = "B-LTA"\n', level
    )
    (tmp_path / "klasse.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load("klasse", tmp_path)
    assert "verlangt sealing.level" in caught.value.operator_text


def test_the_examples_are_classes_that_nobody_works_with_as_they_are() -> None:
    assert profiles.example_names() == sorted(EXAMPLES)
    assert not set(profiles.names()) & set(EXAMPLES)
    for name, need in EXAMPLES.items():
        profile = profiles.load_example(name).profile
        told = profile.protection
        assert told is not None
        assert (told.integrity, told.confidentiality, told.availability) == need
        assert profile.released is False
        assert profile.treatment == ("not_scanned" if name == "verschlusssache" else "replacing")


def test_an_example_becomes_a_class_of_the_house(tmp_path: Path) -> None:
    written = profiles.made_from_example("rechnung", "rechnung-bau")
    (tmp_path / "rechnung-bau.toml").write_text(written, encoding="utf-8")
    own = profiles.load("rechnung-bau", tmp_path).profile
    assert own.name == "rechnung-bau"
    assert own.protection == profiles.load_example("rechnung").profile.protection
    with pytest.raises(ProfileInvalid, match="Vorlage"):
        profiles.load_released("rechnung-bau", tmp_path)
    for example, name in (("grundbuch", "rechnung"), ("rechnung", "../rechnung")):
        with pytest.raises(ProfileInvalid):
            profiles.made_from_example(example, name)
