"""The house: its floors, budgets and habits. The rules are in house/; house/test_rules.py shows that each can fail."""

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import truestep
from house import budgets, floors, monopolies, packing, startup, texts
from house.source import sources

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "truestep"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
LIBRARY = sources(PACKAGE, "truestep")
EVERYTHING = LIBRARY + sources(ROOT / "tests", "tests") + sources(ROOT / "benchmarks", "benchmarks")


def in_lines(findings: list[str]) -> str:
    return "\n".join(findings)


def test_every_room_imports_only_what_its_floor_allows():
    public = set(truestep.__all__)
    assert in_lines([words for source in LIBRARY for words in floors.broken_arrows(source, public)]) == ""


def test_no_file_is_longer_than_its_budget():
    assert in_lines([words for source in EVERYTHING for words in budgets.long_file(source, budgets.FILE_LINES)]) == ""


def test_no_function_is_longer_than_its_budget():
    most = budgets.FUNCTION_LINES
    assert in_lines([words for source in LIBRARY for words in budgets.long_functions(source, most)]) == ""


def test_every_recipe_stays_under_a_hundred_lines():
    recipes = [source for source in LIBRARY if source.room == "recipes"]
    assert recipes
    assert in_lines([words for source in recipes for words in budgets.long_file(source, budgets.RECIPE_LINES)]) == ""


def test_every_lesson_stays_under_a_hundred_and_twenty_lines():
    lessons = [source for source in LIBRARY if source.room == "lessons"]
    assert lessons
    assert in_lines([words for source in lessons for words in budgets.long_file(source, budgets.LESSON_LINES)]) == ""


def test_only_the_loss_divides_a_total_by_a_count():
    elsewhere = [source for source in LIBRARY if source.name != "truestep.core.loss"]
    assert len(elsewhere) == len(LIBRARY) - 1
    assert in_lines([words for source in elsewhere for words in monopolies.divisions(source)]) == ""


def test_only_the_store_writes_files():
    elsewhere = [source for source in LIBRARY if source.name != "truestep.store.atomic"]
    assert len(elsewhere) == len(LIBRARY) - 1
    assert in_lines([words for source in elsewhere for words in monopolies.writes(source)]) == ""


def test_importing_the_library_is_quick_beside_importing_torch(tmp_path: Path):
    startup.measure("import truestep", tmp_path)  # the first run writes the byte code
    assert startup.least_milliseconds("import truestep", tmp_path) < startup.MILLISECONDS


def test_importing_the_library_loads_nothing_that_was_not_asked_for(tmp_path: Path):
    _, modules = startup.measure("import truestep", tmp_path)
    assert modules == {"truestep"}


def test_training_loads_no_surface(tmp_path: Path):
    _, modules = startup.measure("import truestep\ntruestep.fit, truestep.TrainStep, truestep.data.digits", tmp_path)
    assert {"truestep.fit.fit", "truestep.core.step", "truestep.data.digits"} <= modules
    assert not startup.heavy(modules)


def test_a_public_name_means_the_same_whatever_was_imported_before(tmp_path: Path):
    """`truestep.fit` is a package and a function: loading `truestep.fit.loop` must not change what `ts.fit` is."""
    rooms = set(floors.ROOMS)
    modules = ", ".join(source.name for source in LIBRARY if source.room in rooms)
    kinds = "print(json.dumps({name: type(getattr(truestep, name)).__name__ for name in truestep.__all__}))"

    def seen(program: str) -> dict[str, str]:
        command = [sys.executable, "-c", f"import json\n{program}\n{kinds}"]
        return json.loads(subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout)

    after = seen(f"import {modules}")
    assert after == seen("import truestep")
    assert after["fit"] == after["sweep"] == after["explain"] == "function"


def test_every_public_name_is_told_in_a_docstring():
    assert not packing.undocumented({name: getattr(truestep, name) for name in truestep.__all__})


def test_the_library_says_the_version_that_is_packed():
    assert truestep.__version__ == PROJECT["version"]


def test_the_library_needs_four_packages_and_no_more():
    assert not packing.wrong_runtime(PROJECT["dependencies"])


def test_everything_that_the_set_up_installs_is_pinned():
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["dev"], *extras["plot"], *extras["board"], *extras["notebook"]]
    assert not packing.loose_pins(CONSTRAINTS)
    missing = packing.needed(asked) - set(packing.pins(CONSTRAINTS))
    assert missing == set()


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    (wheel,) = tmp_path.glob("truestep-*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("truestep/")}
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {path.relative_to(PACKAGE.parent).as_posix() for path in files}
    assert "truestep/py.typed" in packed


def test_no_committed_text_tells_of_a_machine_a_registry_or_its_maker():
    found = [words for name, text in texts.committed_texts(ROOT) for words in texts.forbidden_words(name, text)]
    assert in_lines(found) == ""
