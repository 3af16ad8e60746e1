"""`truestep sweep`: grids as words, one sentence for a mistake, and everything in the folder of the study."""

import json
import math
from itertools import pairwise

import pytest

import truestep as ts
from truestep import recipes
from truestep.cli.specs import FORMS, fixed_of, grid_of
from truestep.recipes import weight_decay

pytestmark = pytest.mark.usefixtures("elsewhere")

SMALL = ["weight-decay", "--grid", "weight_decay=0:101:20", "--seeds", "3", "--epochs", "20"]


@pytest.mark.parametrize(
    "spec, values",
    [
        ("0:101", list(range(101))),
        ("0:100:10", list(range(0, 100, 10))),
        ("5:0:-1", [5, 4, 3, 2, 1]),
        ("0.1,0.01, 1", [0.1, 0.01, 1]),
        ("true,none,relu", [True, None, "relu"]),
        ("0:1:lin11", [k / 10 for k in range(11)]),
        ("0.001:1:log4", [0.001, 0.01, 0.1, 1.0]),
    ],
)
def test_a_grid_means_what_it_says(spec, values):
    found = list(grid_of([f"x={spec}"])["x"])
    assert found == pytest.approx(values) if isinstance(values[0], float) else found == values
    assert [type(value) for value in found[1:-1]] == [type(value) for value in values[1:-1]]


def test_sixteen_points_on_a_logarithmic_axis_hold_both_ends_and_one_ratio():
    found = grid_of(["lr=0.001:1:log16"])["lr"]
    assert len(found) == 16
    assert (found[0], found[-1]) == (0.001, 1.0)
    ratios = [high / low for low, high in pairwise(found)]
    assert ratios == pytest.approx([10 ** (3 / 15)] * 15)


def test_draws_and_fixed_settings_are_read():
    assert repr(grid_of(["lr=loguniform(1e-4, 1)"])["lr"]) == "loguniform(0.0001, 1)"
    assert repr(grid_of(["lr=uniform(0,2)"])["lr"]) == "uniform(0, 2)"
    assert fixed_of(["batch-size=5", "lr=1e-3", "nesterov=true"]) == {"batch_size": 5, "lr": 1e-3, "nesterov": True}


MISTAKES = {
    "wight-decay": "there is no recipe 'wight-decay'; did you mean weight-decay? it is one of linreg, softmax, mlp, "
    "lenet5, weight-decay.",
    "": "name a recipe, as in truestep sweep weight-decay; it is one of linreg, softmax, mlp, lenet5, weight-decay.",
    "--grid lr=0.1 mlp": "the recipe comes first, and then its options: truestep sweep lenet5 --grid ...",
    "linreg --grid lr": "--grid lr: this is a name, = and what it is, as in --grid lr=0.1,0.01.",
    "linreg --grid lr=0:1:log5": "--grid lr=0:1:log5: a logarithm needs two numbers above 0; take lin for others.",
    "linreg --grid lr=0.1:1": f"--grid lr=0.1:1: this is no grid; write {FORMS}.",
    "linreg --grid lr=5:5": "--grid lr=5:5: this range is empty: it goes from its first number up to, and not "
    "including, its second.",
    "linreg --grid lr=0:9:0": "--grid lr=0:9:0: this range is empty: it goes from its first number up to, and not "
    "including, its second.",
    "linreg --grid lr=0:1:log1": "--grid lr=0:1:log1: log1 must be from log2 to log100000.",
    "linreg --grid lr=1,,2": f"--grid lr=1,,2: '' is no value; write {FORMS}.",
    "linreg --grid lr=0:1000000000000": "--grid lr=0:1000000000000: this is 1,000,000,000,000 values, and 100,000 is "
    "the most.",
    "linreg --grid lr=0.1 --grid lr=0.2": "--grid names lr twice: give all of its values in one, as in lr=0.1,0.01.",
    "linreg --grid lr=nrmal(1,2) --trials 3": "--grid lr=nrmal(1,2): there is no draw 'nrmal', only loguniform and "
    "uniform.",
    "linreg --grid lr=uniform(2,1) --trials 3": "--grid lr=uniform(2,1): a draw needs two finite numbers, the lower "
    "one first, and not 2.0 and 1.0.",
    "linreg --grid lr=uniform(1) --trials 3": "--grid lr=uniform(1): uniform takes two numbers, as in uniform(1e-4,1).",
    "linreg --grid lr=loguniform(1e-4,1)": "trials says how many points are drawn, and lr is drawn: give both or "
    "neither.",
    "linreg --trials 4": "trials says how many points are drawn, and nothing in the grid is drawn: give both or "
    "neither.",
    "linreg --grid rl=0.1": "there is no setting 'rl'; did you mean lr? it is one of lr, momentum, batch_size, "
    "clip_norm.",
    "linreg --fixed lr=0.1": "every setting is fixed, and nothing is left to vary: add --grid NAME=... .",
    "linreg --fixed lr=0.1,0.2": "--fixed lr=0.1,0.2: a fixed setting has one value; vary it by --grid lr=...",
    "linreg --grid lr=0.1 --fixed lr=0.2": "lr is in the grid and in fixed: leave one of them out.",
    "linreg --grid lr=-1": "sgd does not take lr=-1: Invalid learning rate: -1.",
    "linreg --share weight": "share knows 'weights' and 'order', and 'weight' is neither.",
    "linreg --compile maybe": "--compile: 'maybe' is not one of auto, yes, no; see truestep sweep linreg --help.",
    "linreg --seeds 0": "--seeds: '0' is not a whole number of at least 1; see truestep sweep linreg --help.",
    "lenet5 --size 8": "LeNet-5 needs images of at least 12x12 pixels, and these have 8: size=16.",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_gets_one_sentence_and_leaves_nothing_behind(words, run, tmp_path):
    assert run("sweep", *words.split()) == (2, "", MISTAKES[words] + "\n")
    assert not list(tmp_path.rglob("*.*"))
    assert not list(tmp_path.glob("runs/*"))


def test_a_study_prints_its_curve_where_it_is_least_and_from_where_it_is_flat(run, tmp_path):
    status, out, _ = run("sweep", *SMALL, "--run-dir", "here")
    assert status == 0
    study = ts.sweep(
        **{**weight_decay.study(), "grid": {"weight_decay": range(0, 101, 20)}, "seeds": 3, "epochs": 20},
        progress=False,
    )
    curve = study.curve("weight_decay")
    lines = out.splitlines()
    shown = [line.split() for line in lines[3:9]]
    assert [row[0] for row in shown] == ["0", "20", "40", "60", "80", "100"]
    medians = [float(row[1] if row[1] != "*" else row[2]) for row in shown]
    assert medians == pytest.approx(curve.median.tolist(), rel=1e-3)
    least, flat = curve.least(), curve.flat_from()
    value = f"{curve.median[least]:.4g}"
    assert f"least          weight_decay = {curve.x[least]}: the median of the test loss is {value}" in lines
    assert (
        f"flat           from weight_decay = {curve.x[flat]} on, where the median stays within 5 % of its last value"
        in lines
    )
    names = {"study.json", "table.csv", "table.json", "study.png", "study.svg", "study.html"}
    assert names <= {path.name for path in (tmp_path / "here").iterdir()}
    for name in names - {"study.json"}:
        assert any(line.endswith(f"here/{name}") for line in lines)


def test_json_holds_the_study_and_the_same_folder_goes_on(run):
    status, out, _ = run("sweep", *SMALL, "--run-dir", "here", "--no-figure", "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["variants"], len(found["table"]), len(found["points"])) == (18, 18, 6)
    assert found["varied"] == ["weight_decay"]
    assert found["best"]["valid_loss"] == min(row["valid_loss"] for row in found["table"])
    assert not any(name.endswith("png") for name in found["files"])
    status, out, err = run("sweep", *SMALL, "--run-dir", "here", "--no-figure", "--json")
    again = json.loads(out)
    assert (status, again["table"]) == (0, found["table"])
    assert "18 of 18 variants are in" in err


def test_runs_passes_over_the_folder_of_a_study(run):
    run("sweep", *SMALL, "--runs", "all", "--no-figure")
    run("train", "linreg", "--runs", "all", "--no-figure", "--epochs", "1")
    status, out, err = run("runs", "--root", "all", "--json")
    assert (status, err) == (0, "")
    assert [each["recipe"] for each in json.loads(out)["runs"]] == ["linreg"]


def test_of_several_settings_the_best_points_come_first(run):
    grids = ["--grid", "lr=0.001:1:log4", "--grid", "batch_size=10,100"]
    status, out, _ = run("sweep", "linreg", *grids, "--seeds", "1", "--no-figure")
    lines = out.splitlines()
    losses = [float(line.replace("*", "").split()[2]) for line in lines[3:11]]
    assert status == 0
    assert losses == sorted(losses)
    assert not any(line.startswith(("least", "flat")) for line in lines)


def test_every_variant_diverging_is_said_and_no_failure(run):
    status, out, _ = run("sweep", "linreg", "--grid", "lr=1e6,1e7", "--seeds", "2", "--no-figure")
    assert status == 0
    assert "diverged       4 of 4 variants" in out.splitlines()
    assert "best variant" not in out


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_has_a_study_whose_variants_are_its_own_runs(name):
    module = recipes.load(name)
    options = {"size": 12} if name == "lenet5" else {}
    asked = module.study(**options)
    cut = {key: (asked[key][0][:40], asked[key][1][:40]) for key in ("train", "validate")}
    varied = next(iter(asked["grid"]))
    values = list(asked["grid"][varied])[1:6:4]
    small = {**asked, **cut, "grid": {varied: values}, "seeds": 1, "epochs": 2, "batch_size": 16}
    study = ts.sweep(**small, progress=False)
    split = ts.data.Split(cut["train"], cut["validate"])
    form = module.FORMS[0] if name == "lenet5" else "built-in"
    extra = {"smoothing": 0.0} if name == "lenet5" else {}
    for row, value in zip(study.table, values, strict=True):
        own = module.train(form, split, epochs=2, batch_size=16, progress=False, **{varied: value}, **extra)
        found = own.history[-1].get("valid_error", own.history[-1]["valid_loss"])
        assert math.isclose(row.valid_loss, found, rel_tol=1e-4)
