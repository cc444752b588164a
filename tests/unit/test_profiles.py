"""Profiles: the shipped ones load, the house's win, and every mistake is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import profiles
from ingest.document import Priority
from ingest.errors import ProfileInvalid
from scanners.device import ScanSettings

SHIPPED = [
    "archiv",
    "archiv-fraktur",
    "bescheid",
    "elektronisch",
    "ersetzend-hoch",
    "ersetzend-normal",
    "ersetzend-sehr-hoch",
    "posteingang",
    "stapel-asn",
    "stapel-duplex",
]
MINIMAL = 'name = "haus"\nversion = "3"\ntitle = "Haus"\ntreatment = "copying"\n'


def refusal(house: Path, content: str | bytes, name: str = "haus") -> str:
    path = house / f"{name}.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load(name, house)
    assert str(path) in caught.value.operator_text
    return caught.value.operator_text


def test_all_shipped_profiles_are_listed_and_load() -> None:
    assert profiles.names() == SHIPPED
    for name in SHIPPED:
        loaded = profiles.load(name)
        assert loaded.profile.name == name
        assert loaded.sha256 == hashlib.sha256(loaded.path.read_bytes()).hexdigest()


def test_the_default_profile_copies_and_keeps_blank_pages() -> None:
    profile = profiles.load_released("posteingang").profile
    assert profile.treatment == "copying"
    assert profile.separation.blank == "keep"
    assert profile.recognition.languages == ("deu", "eng")
    assert profile.routing.default == "poststelle"
    assert profile.urgency is Priority.TODAY


def test_shipped_profiles_differ_where_their_names_say_so() -> None:
    assert profiles.load("stapel-duplex").profile.separation.blank == "omit"
    assert "asn" in profiles.load("stapel-asn").profile.separation.by
    assert profiles.load("archiv").profile.urgency is Priority.ARCHIVE
    assert profiles.load("archiv-fraktur").profile.recognition.languages == ("frk",)
    assert ("deu",) in profiles.load("archiv-fraktur").profile.recognition.alternatives
    assert profiles.load("elektronisch").profile.separation.enabled is False
    received = {name: profiles.load(name).profile.intake.received_at for name in SHIPPED}
    assert received["posteingang"] == "recorded"
    assert received["ersetzend-hoch"] == "required"
    assert received["elektronisch"] == "registration"
    assert received["archiv"] == "not_applicable"


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.startswith("ersetzend")])
def test_replacing_profiles_are_refused_for_work_and_say_why(name: str) -> None:
    assert profiles.load(name).profile.treatment == "replacing"
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load_released(name)
    assert "nicht freigegeben" in caught.value.operator_text
    assert "posteingang" in caught.value.operator_text


WHOLE = """legal_basis = "§ 7 EGovG"
[protection]
integrity = "high"
confidentiality = "normal"
availability = "normal"
reason = "Bescheide mit Rechtswirkung"
[procedure]
name = "Scannen in der Poststelle"
edition = "Rathaus"
version = "3"
as_of = "2026-01-01"
maintainer = "Amt 10"
sha256 = "%s"
[intake]
received_at = "required"
[quality]
check = "before_delivery"
share = 0.2
[sealing]
key = "organisation"
means = "qseal"
stamp = "ts"
level = "B-LTA"
""" % ("0" * 64)
REPLACING = MINIMAL.replace("copying", "replacing")


def test_a_replacing_profile_that_says_everything_loads(tmp_path: Path) -> None:
    (tmp_path / "haus.toml").write_text(REPLACING + WHOLE, encoding="utf-8")
    profile = profiles.load_released("haus", tmp_path).profile
    assert profile.protection is not None
    assert profile.protection.integrity == "high"
    assert profile.sealing.timestamp is True


def test_a_released_replacing_profile_names_all_it_lacks(tmp_path: Path) -> None:
    text = refusal(tmp_path, REPLACING)
    for lacking in (
        "[protection]",
        "legal_basis",
        "[procedure]",
        "[quality]",
        "[sealing] means",
        "[intake] received_at",
    ):
        assert lacking in text


@pytest.mark.parametrize(
    ("given", "weaker", "named"),
    [
        ('means = "qseal"', 'means = "aseal"', "verlangt sealing.means qseal oder qes"),
        ("share = 0.2", "share = 0.1", "quality.share muss bei Schutzbedarf high"),
        ('integrity = "high"', 'integrity = "very_high"', 'verlangt sealing.stamp = "qts"'),
        ('level = "B-LTA"\n', 'level = "B-T"\n[checking]\nminimum_dpi = 150\n', "minimum_dpi"),
        ('key = "organisation"\n', "", 'braucht key = "organisation"'),
        ('stamp = "ts"', 'stamp = "none"', "widersprechen sich"),
    ],
)
def test_nobody_asks_for_less_than_the_need_for_protection_demands(
    tmp_path: Path, given: str, weaker: str, named: str
) -> None:
    assert given in WHOLE
    assert named in refusal(tmp_path, REPLACING + WHOLE.replace(given, weaker))


def test_what_is_on_the_negative_list_is_not_scanned(tmp_path: Path) -> None:
    (tmp_path / "haus.toml").write_text(MINIMAL.replace("copying", "not_scanned"))
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load_released("haus", tmp_path)
    assert "Negativliste" in caught.value.operator_text


def test_the_houses_own_file_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    own = MINIMAL.replace("haus", "posteingang")
    (tmp_path / "posteingang.toml").write_text(own, encoding="utf-8")
    (tmp_path / "haus.toml").write_text(MINIMAL, encoding="utf-8")
    loaded = profiles.load("posteingang", tmp_path)
    assert loaded.profile.version == "3"
    assert loaded.sha256 == hashlib.sha256(own.encode()).hexdigest()
    assert profiles.names(tmp_path) == sorted([*SHIPPED, "haus"])
    assert profiles.load("archiv", tmp_path).profile.name == "archiv"


def test_facts_survive_json_and_come_back_as_the_same_profile() -> None:
    for name in SHIPPED:
        loaded = profiles.load(name)
        assert profiles.Profile.model_validate(loaded.facts()) == loaded.profile


@pytest.mark.parametrize(
    ("addition", "named"),
    [
        ("colour = 1\n", "colour: unbekannter Schlüssel"),
        ("[separation]\nblanc = 'omit'\n", "separation.blanc: unbekannter Schlüssel"),
        ("[separation]\nblank = 'remove'\n", "separation.blank: erlaubt sind 'keep' oder 'omit'"),
        ("[separation]\nby = ['colour']\n", "separation.by.0: erlaubt sind"),
        ("[separation]\nenabled = 'no'\n", "separation.enabled: erwartet true oder false"),
        ("[separation]\nby = ['count']\n", "by = count braucht every"),
        ("[separation]\nevery = 2\n", "every wirkt nur zusammen mit"),
        ("[separation]\nby = ['count', 'sheet']\nevery = 2\n", "count steht allein"),
        ("[separation]\nby = ['blank', 'blank']\n", "mehrfach"),
        ("[separation]\nby = ['asn']\nclasses = ['archiv']\n", "classes wirkt nur"),
        ("[separation.patches]\n3 = 'document'\n", "Patch 3 und Patch T sind Spiegelbilder"),
        ("[separation.patches]\n6 = 'ignore'\n", "bitte 1 schreiben"),
        ("[separation.patches]\n7 = 'ignore'\n", "unbekannter Patch-Code"),
        ("[separation.patches]\n4 = 'profile:Archiv'\n", "document, ignore oder profile:NAME"),
        ("[separation]\nby = ['asn']\npatches = {4 = 'document'}\n", "patches wirkt nur"),
        ("[separation]\nsides = 'both'\n", "separation.sides: erlaubt sind"),
        ("[checking]\nminimum_dpi = '200'\n", "checking.minimum_dpi: erwartet ganze Zahl"),
        ("[recognition]\nlanguages = []\n", "recognition.languages"),
        ("[recognition]\nlanguages = ['../deu']\n", "recognition.languages.0"),
        ("[routing]\ndefault = '../bauamt'\n", "routing.default: erlaubt ist das Muster"),
        ("[[routing.rules]]\ndepartment = 'a'\nbarcode = '['\n", "kein gültiger regulärer"),
        ("[[routing.rules]]\ndepartment = 'a'\nbarcode = '.*'\n", "leeren Text"),
        ("[[routing.rules]]\ndepartment = 'a'\n", "routing.rules.0: die Regel braucht"),
        ("[[routing.rules]]\nkeywords = ['x']\n", "routing.rules.0.department: fehlt"),
    ],
)
def test_a_wrong_key_is_named_with_file_and_remedy(
    tmp_path: Path, addition: str, named: str
) -> None:
    assert named in refusal(tmp_path, MINIMAL + addition)


def test_patch_codes_that_are_not_named_keep_their_meaning(tmp_path: Path) -> None:
    (tmp_path / "haus.toml").write_text(MINIMAL + "[separation.patches]\n4 = 'profile:archiv'\n")
    rules = profiles.load("haus", tmp_path).profile.separation
    assert rules.patches == {"T": "document", "2": "document", "1": "ignore", "4": "profile:archiv"}
    assert rules.separating_patches.keys() == {"T", "2", "4"}
    kept = profiles.load("haus", tmp_path).facts()
    assert profiles.Profile.model_validate(kept).separation == rules


def test_a_class_that_does_not_exist_or_is_not_released_is_named_by_the_check(
    tmp_path: Path,
) -> None:
    path = tmp_path / "haus.toml"
    for wanted in ("grundbuch", "ersetzend-hoch"):
        path.write_text(MINIMAL + f"[separation]\nclasses = ['archiv', '{wanted}']\n")
        with pytest.raises(ProfileInvalid) as caught:
            profiles.check_classes(profiles.load("haus", tmp_path), tmp_path)
        assert str(path) in caught.value.operator_text
        assert wanted in caught.value.operator_text
    path.write_text(MINIMAL + "[separation]\nclasses = ['archiv']\n")
    profiles.check_classes(profiles.load("haus", tmp_path), tmp_path)


def test_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    assert "nicht lesbar" in refusal(tmp_path, "name = ")
    assert "nicht lesbar" in refusal(tmp_path, b"\xff\xfe")
    assert "muss wie die Datei" in refusal(tmp_path, MINIMAL.replace("haus", "anders"))


@pytest.mark.parametrize("name", ["unbekannt", "../../etc/passwd", "", "Posteingang", "a/b"])
def test_an_unknown_name_lists_the_known_ones_and_opens_nothing(name: str) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        profiles.load(name)
    assert "posteingang" in caught.value.operator_text


def test_departments_are_safe_folder_names() -> None:
    assert profiles.is_department("bürgeramt-2")
    for name in ("", ".", "..", "a/b", "Bauamt", "a b", "-a", "x" * 64, "a\n"):
        assert not profiles.is_department(name)


def asked(house: Path, addition: str = "") -> dict[str, object]:
    (house / "haus.toml").write_text(MINIMAL + addition)
    return profiles.load("haus", house).profile.scanning()


def test_what_is_asked_of_the_scanner_follows_the_rest_of_the_profile(tmp_path: Path) -> None:
    plain = asked(tmp_path)
    assert (plain["dpi"], plain["mode"], plain["depth"]) == (300, "colour", 8)
    feeds = {
        sides: asked(tmp_path, f"[separation]\nsides = '{sides}'\n")["feed"]
        for sides in ("duplex", "simplex", "fronts_then_backs")
    }
    assert feeds == {"duplex": "duplex", "simplex": "feeder", "fronts_then_backs": "feeder"}
    assert plain["feed"] == "duplex", "without a word no back of a letter is lost"
    assert asked(tmp_path, "[checking]\nminimum_dpi = 400\n")["dpi"] == 400
    assert asked(tmp_path, "[scan]\nmode = 'bitonal'\n")["depth"] == 1


def test_every_profile_for_paper_asks_what_a_driver_understands(tmp_path: Path) -> None:
    given = "[scan]\nmode = 'bitonal'\nthreshold = 120\nwished = ['threshold', 'paper']\n"
    settings = ScanSettings.from_json(asked(tmp_path, given))
    assert settings.wished == ("threshold", "paper")
    assert ScanSettings.from_json(settings.to_json()) == settings
    scanned = [profiles.load(name).profile for name in SHIPPED]
    names = [profile.name for profile in scanned if profile.is_scanned]
    assert sorted({*SHIPPED} - {*names}) == ["bescheid", "elektronisch"]
    for profile in scanned:
        assert ScanSettings.from_json(profile.scanning()).dpi >= profile.checking.minimum_dpi


@pytest.mark.parametrize(
    ("addition", "named"),
    [
        ("[scan]\ndpi = 49\n", "scan.dpi: mindestens 50"),
        ("[scan]\ndpi = '300'\n", "scan.dpi: erwartet ganze Zahl"),
        ("[scan]\nmode = 'gray'\n", "scan.mode: erlaubt sind 'bitonal', 'grey' oder 'colour'"),
        ("[scan]\nmode = 'bitonal'\ndepth = 8\n", "widersprechen sich"),
        ("[scan]\nthreshold = 100\n", 'threshold wirkt nur mit mode = "bitonal"'),
        ("[scan]\nwished = ['dpi']\n", "scan.wished.0: erlaubt sind"),
        ("[scan]\nwished = ['threshold']\n", "threshold steht nicht da"),
        ("[scan]\nwished = ['paper', 'paper']\n", "mehrfach"),
        ("[scan]\ndpi = 150\n", "scan.dpi = 150 liegt unter checking.minimum_dpi = 200"),
        (
            "[scan]\nfeed = 'feeder'\n[separation]\nsides = 'duplex'\n",
            'separation.sides = "duplex"',
        ),
        ("[scan]\ndpi = 300\n[intake]\norigin = 'electronic'\n", "[scan] wirkt nur mit"),
        ("[scan]\nblank_skip = true\n", "scan.blank_skip: unbekannter Schlüssel"),
        ("[scan]\ndeskew = true\n", "scan.deskew: unbekannter Schlüssel"),
    ],
)
def test_a_wrong_demand_on_the_scanner_is_named(tmp_path: Path, addition: str, named: str) -> None:
    assert named in refusal(tmp_path, MINIMAL + addition)


def test_a_replacing_class_claims_no_more_than_its_scan_shows(tmp_path: Path) -> None:
    flat = REPLACING + WHOLE + '[scan]\nmode = "bitonal"\n'
    for text, claims in ((flat, True), (REPLACING + WHOLE, False), (MINIMAL, False)):
        (tmp_path / "haus.toml").write_text(text, encoding="utf-8")
        profile = profiles.load("haus", tmp_path).profile
        assert bool(profile.claims_too_much) is claims
