"""What no linter checks: sizes, names, completeness, and where things may stand."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ingest import errors
from ingest.document import ENDS, MOVES, PLAN, Standing
from workers import STEPS

ROOT = Path(__file__).parent.parent
PACKAGES = ("ingest", "scanners", "workers", "profiles", "console")
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "data", "info", "misc"}

IGNORE = re.compile(r"#\s*(?:ruff:\s*)?(noqa|type:\s*ignore)(?P<rest>.*)")
REASONED_NOQA = re.compile(r":\s*[A-Z]+[0-9]+(\s*,\s*[A-Z]+[0-9]+)*\s+(-|–)\s+\S+")
REASONED_TYPE_IGNORE = re.compile(r"\[[a-z-]+(,\s*[a-z-]+)*\]\s+(#|-)\s+\S+")
#: Written with gaps, so that this file does not find itself. Erika Mustermann is nobody.
FOREIGN_PLACES = re.compile(
    "/ home/(?!erika)[a-z] | / root[/ ] | / work/ | / opt/(wheels|pypi) | / Users/[a-z]"
    " | files.python hosted.org | -- (extra-)?index-url | py pi.org".replace(" ", "")
)


def modules() -> list[Path]:
    """Every module of the product."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def everything_written() -> list[Path]:
    """Every module of the product, of its tests and of its measurements."""
    beside = [path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    return [*modules(), *sorted(beside)]


def tracked() -> list[Path]:
    """Every file under version control, or all files where there is no git."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Every comment of a module with its line number; strings are not comments."""
    source = io.StringIO(path.read_text("utf-8"))
    for token in tokenize.generate_tokens(source.readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def broad_handlers(path: Path) -> Iterator[ast.ExceptHandler]:
    """Every handler that catches all errors."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        ):
            yield node


def imported(path: Path) -> Iterator[str]:
    """Which modules a module imports at run time, whole names."""
    tree = ast.parse(path.read_text("utf-8"))
    for guard in ast.walk(tree):
        if isinstance(guard, ast.If) and "TYPE_CHECKING" in ast.unparse(guard.test):
            guard.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def where(path: Path, line: int = 0) -> str:
    """Name a place for a message."""
    return f"{path.relative_to(ROOT)}:{line}"


def test_modules_stay_readable_at_400_lines() -> None:
    lengths = {
        where(path): len(path.read_text("utf-8").splitlines()) for path in everything_written()
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_functions_stay_readable_at_50_lines() -> None:
    long = {
        where(path, node.lineno): node.end_lineno - node.lineno + 1
        for path in [*modules(), *(ROOT / "bench").rglob("*.py")]
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > 50
    }
    assert long == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    folders_and_files = {part for path in modules() for part in path.relative_to(ROOT).parts}
    assert {Path(part).stem for part in folders_and_files} & BANNED_NAMES == set()


def test_every_step_of_the_plan_has_a_home_that_can_be_called() -> None:
    assert {step for _, step in PLAN} == set(STEPS)
    for address in STEPS.values():
        module, function = address.split(":")
        assert callable(getattr(import_module(module), function)), address


def test_every_standing_reaches_an_end() -> None:
    reached = set(ENDS)
    while grown := {before for before, after in MOVES.items() if after & reached} - reached:
        reached |= grown
    assert reached == set(Standing)


def test_every_error_is_raised_or_tested_somewhere() -> None:
    leaves = [
        value
        for value in vars(errors).values()
        if isinstance(value, type)
        and issubclass(value, errors.ScanstrasseError)
        and not value.__subclasses__()
    ]
    places = [*modules(), *(ROOT / "tests").rglob("*.py")]
    text = "\n".join(
        path.read_text("utf-8") for path in places if path.name not in {"errors.py", "port.py"}
    )
    unused = [leaf.__name__ for leaf in leaves if not re.search(rf"\b{leaf.__name__}\b", text)]
    assert unused == []


def test_everything_is_caught_only_in_the_pipeline_or_for_a_stated_reason() -> None:
    """Elsewhere a foreign library's errors become ours (re-raised) or the line says why not."""
    broad = [
        where(path, handler.lineno)
        for path in modules()
        if path != ROOT / "ingest/pipeline.py"
        for handler in broad_handlers(path)
        if not isinstance(handler.body[-1], ast.Raise)
        and "# noqa: BLE001 - " not in path.read_text("utf-8").splitlines()[handler.lineno - 1]
    ]
    assert broad == []


def test_every_ignore_names_its_rule_and_its_reason() -> None:
    bare = []
    for path in everything_written():
        for number, comment in comments(path):
            found = IGNORE.match(comment)
            if found is None:
                continue
            wanted = REASONED_NOQA if found.group(1) == "noqa" else REASONED_TYPE_IGNORE
            if not wanted.match(found.group("rest")):
                bare.append(f"{where(path, number)} {comment}")
    assert bare == []


def test_imports_go_one_way_only() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    if not program.exists():
        pytest.fail("lint-imports is missing: run make setup")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


STATION = ("station", "stack", "device", "sane", "escl", "twain")


def declared(*extras: str) -> set[str]:
    """Distributions that the project asks for, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return {
        re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-")
        for line in lines
    }


def undeclared(paths: list[Path], asked: set[str]) -> set[str]:
    """Foreign packages that these modules import and nobody asked for."""
    owners = packages_distributions()
    foreign = {name.split(".")[0] for path in paths for name in imported(path)} - {
        *PACKAGES,
        *sys.stdlib_module_names,
    }
    return {
        name
        for name in foreign
        if not {owner.lower().replace("_", "-") for owner in owners.get(name, ())} & asked
    }


def test_everything_imported_is_declared() -> None:
    assert undeclared(modules(), declared("server", "station")) == set()


def test_what_runs_at_the_scanner_needs_only_what_the_station_installs() -> None:
    homes = [ROOT / "scanners" / name for name in STATION] + [ROOT / "ingest/sandbox"]
    paths = [ROOT / "scanners/drivers.py", *(path for home in homes for path in home.rglob("*.py"))]
    assert undeclared(paths, declared("station")) == set()


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    found = []
    for path in tracked():
        if path.suffix in {".xsd", ".pdf", ".tif", ".png", ".jpg", ".icc"}:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if FOREIGN_PLACES.search(line):
                found.append(f"{where(path, number)} {line.strip()[:80]}")
    assert found == []


def test_nothing_is_left_for_a_better_day() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HACK)\b")
    found = [
        where(path, number)
        for path in [*modules(), *(ROOT / "tests").rglob("*.py")]
        for number, comment in comments(path)
        if marks.search(comment)
    ]
    assert found == []


@pytest.mark.parametrize("member", [*Standing])
def test_operators_find_every_standing_in_the_handbook(member: Standing) -> None:
    assert f"`{member}`" in (ROOT / "docs/operations.md").read_text("utf-8")


@pytest.mark.parametrize(
    "word",
    [
        "Posteingang", "Eingangsdatum", "Stapel", "Sendung", "Trennblatt", "Abbild",
        "Scanprodukt", "Schutzbedarf", "ersetzend", "kopierend", "Sichtprüfung",
        "Transfervermerk", "Scanvermerk", "Siegel", "Signatur", "Zeitstempel",
        "Installationssignatur", "Klärfall", "Akte", "Vorgang", "Aktenzeichen", "Federführung",
        "Aufbewahrungsfrist", "Vernichtungsfreigabe", "Mandant",
    ],
)  # fmt: skip
def test_the_glossary_knows_the_trade_word(word: str) -> None:
    assert re.search(rf"\b{word}\b", (ROOT / "docs/glossary.md").read_text("utf-8"))


def test_every_local_link_in_the_documents_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{where(page)} -> {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_command_line_starts_without_database_and_signatures() -> None:
    """Whoever asks for help, or mistypes, waits for neither."""
    heavy = ("sqlalchemy", "pyhanko", "pikepdf", "cv2", "ingest.ledger", "workers")
    asked = f"import sys, ingest.cli; print([n for n in {heavy} if n in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert found.stdout.strip() == "[]"
