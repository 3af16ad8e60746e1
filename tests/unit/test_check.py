"""Watching and telling: what is hooked is put back, what is found is told, what is ignored is not."""

import ast
import builtins
import copy
import json
import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules import module as hooks
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset, dataloader

import truestep as ts
from truestep.check.changes import Backward, Clear, Step
from truestep.check.events import Forward, Op
from truestep.check.rules import rules
from truestep.check.rules._source import tree_of
from truestep.check.watch import Watching
from truestep.cli.main import main

SCRIPT = """
import sys
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(20, 3), torch.randn(20, 1)
for step in range(10):
    CLEAR
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()  # IGNORE
    optimizer.step()
print("steps", step + 1, sys.argv[1:])
"""
CLEAN = SCRIPT.replace("CLEAR", "optimizer.zero_grad()")
WRONG = SCRIPT.replace("CLEAR", "pass")
PLACES = [(builtins, "print"), (copy, "deepcopy"), (random, "shuffle"), (torch, "save"), (torch, "manual_seed"),
          (torch.autograd, "backward"), (torch.nn.utils, "clip_grad_norm_"), (nn.Module, "__init__"),
          (nn.Module, "train"), (nn.Module, "state_dict"), (nn.Module, "zero_grad"),
          (torch.optim.Optimizer, "__init__"),
          (torch.optim.Optimizer, "zero_grad"), (DataLoader, "__iter__"), (dataloader._BaseDataLoaderIter, "__next__"),
          (lr_scheduler.StepLR, "__init__"), (lr_scheduler.ReduceLROnPlateau, "step")]  # fmt: skip


def held():
    return [vars(place).get(name, "inherited") for place, name in PLACES]


def counts():
    from torch.optim import optimizer

    return [len(each) for each in (hooks._global_forward_hooks, hooks._global_forward_pre_hooks,
            optimizer._global_optimizer_pre_hooks, optimizer._global_optimizer_post_hooks)]  # fmt: skip


def train(steps=5, clear=True):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        if clear:
            optimizer.zero_grad()
        F.mse_loss(model(torch.ones(4, 3)), torch.zeros(4, 1)).backward()
        optimizer.step()


def test_everything_is_put_back():
    before, hooked = held(), counts()
    inside = []

    def fail():
        inside.extend(held())
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), Watching():
        fail()
    assert inside != before
    assert held() == before
    assert counts() == hooked
    assert torch._C._len_torch_function_stack() == 0


def test_a_step_is_recorded_with_its_lines():
    with Watching(strict=True) as seen:
        train(steps=2)
    trace = seen.trace
    assert [len(trace.of(kind)) for kind in (Clear, Backward, Step)] == [2, 2, 2]
    assert {event.site.function for event in trace.of(Step, Forward, Op)} == {"train"}
    first, second = trace.of(Step)
    assert {one.after for one in first.moved} == {one.before for one in second.moved}
    assert all(one.change > 0 for one in first.moved)


def test_nothing_is_kept_alive():
    import gc
    import weakref

    with Watching(strict=True):
        tensor = torch.randn(3, requires_grad=True)
        tensor.sum().backward()
        model = nn.Linear(2, 2)
        model(torch.ones(1, 2)).sum().item()
        refs = [weakref.ref(tensor), weakref.ref(model), weakref.ref(model.weight)]
        del tensor, model
        gc.collect()
        assert [ref() for ref in refs] == [None, None, None]


class Modes(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch._C._len_torch_function_stack()


def test_calls_in_a_worker_take_no_way_through_ours():
    with Watching(strict=True):
        assert torch.cat(list(DataLoader(Modes(), num_workers=1))).tolist() == [0, 0, 0, 0]
        assert torch._C._len_torch_function_stack() == 1


def test_tensors_that_cannot_be_read_are_no_stumbling_block():
    lazy, linear = nn.LazyLinear(2), nn.Linear(3, 2)
    with Watching(strict=True):
        lazy(torch.randn(4, 3)).sum().backward()
        torch.randn(1).expand(3)[:1].add(1)
        torch.zeros(1, 1).expand(1, 4)[..., :1].add(1)
        torch.func.grad(lambda x: linear(x).sum())(torch.randn(4, 3))
        torch.func.vmap(linear)(torch.randn(4, 3))


def test_a_block_is_judged():
    with ts.watch() as report:
        train(clear=False)
    assert [finding.name for finding in report.findings] == ["never_cleared"]
    assert not report.clean
    assert "never_cleared" in str(report)
    with ts.watch() as report:
        train()
    assert report.clean
    assert "no findings" in str(report)


def test_a_report_before_the_end_says_so():
    with ts.watch() as report:
        assert "not over" in str(report)


@pytest.mark.parametrize("program, status", [(CLEAN, 0), (WRONG, 1), (CLEAN + "\n1 / 0", 3), (WRONG + "\n1 / 0", 3)])
def test_the_exit_status_tells(tmp_path, capsys, program, status):
    path = tmp_path / "train.py"
    path.write_text(program)
    assert main(["check", str(path), "--mine"]) == status
    assert "steps 10 ['--mine']" in capsys.readouterr().out


def test_a_script_that_is_interrupted_is_told_about_until_then(tmp_path, capsys):
    script = tmp_path / "train.py"
    script.write_text(f"{WRONG}\nraise KeyboardInterrupt\n")
    assert main(["check", str(script), "--json"]) == 130
    out, err = capsys.readouterr()
    told = json.loads(out.splitlines()[-1])
    assert told["status"] == 130
    assert [finding["rule"] for finding in told["findings"]] == ["TS101"]
    assert err == f"{script} was interrupted: what is told above is what it did until then.\n"


@pytest.mark.parametrize(
    "comment, status",
    [
        ("truestep: ignore", 0),
        ("truestep: ignore TS101", 0),
        ("truestep: ignore TS102", 1),
        ("truestep: ignore TS102, TS101", 0),
    ],
)
def test_a_comment_silences_its_line(tmp_path, comment, status):
    path = tmp_path / "train.py"
    path.write_text(WRONG.replace("IGNORE", comment))
    assert main(["check", str(path)]) == status


def test_a_file_that_was_edited_since_the_last_watch_is_read_anew(tmp_path):
    script = tmp_path / "train.py"
    for name in ("first", "second"):
        script.write_text(f"{name} = 1\n")
        with Watching(strict=True):
            pass
        assert name in ast.dump(tree_of(str(script)))


def test_a_run_stops_after_its_steps(tmp_path, capsys):
    path = tmp_path / "train.py"
    path.write_text(CLEAN)
    assert main(["check", "--steps", "4", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "steps" not in out.partition("{")[0]
    assert "4 optimizer steps" in " ".join(json.loads(out)["checked"])


@pytest.mark.parametrize("words", [["--steps", "4", "SCRIPT"], ["SCRIPT", "--steps", "4", "--"]])
def test_a_script_keeps_its_own_option_of_that_name(tmp_path, capsys, words):
    path = tmp_path / "script.py"
    path.write_text(CLEAN.replace("import sys\n", "import sys\nprint('given', sys.argv[1:])\n"))
    words = [str(path) if word == "SCRIPT" else word for word in words]
    assert main(["check", *words, "--steps", "7", "--json"]) == 0
    out = capsys.readouterr().out
    assert "given ['--steps', '7', '--json']" in out
    assert "4 optimizer steps" in out


def test_a_module_is_checked_as_python_finds_it(tmp_path, capsys, monkeypatch):
    (tmp_path / "parcel").mkdir()
    (tmp_path / "parcel" / "train.py").write_text(WRONG)
    (tmp_path / "parcel" / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["check", "--steps", "4", "-m", "parcel.train", "--steps", "7"]) == 1
    out = capsys.readouterr().out
    assert "4 optimizer steps" in out
    assert "train.py:11" in out


def test_findings_are_told_as_sarif(tmp_path, capsys):
    path, sarif = tmp_path / "train.py", tmp_path / "found.sarif"
    path.write_text(WRONG)
    assert main(["check", "--sarif", str(sarif), "--json", str(path)]) == 1
    (run,) = json.loads(sarif.read_text())["runs"]
    (result,) = run["results"]
    line = 1 + WRONG.splitlines().index("    loss.backward()  # IGNORE")
    assert result["ruleId"] == "TS101"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == line
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {known.rule.number for known in rules().values()}
    (finding,) = json.loads(capsys.readouterr().out.splitlines()[-1])["findings"]
    assert (finding["line"], finding["source"]) == (line, "loss.backward()  # IGNORE")


def test_the_json_object_holds_the_fields_of_each_finding_what_was_checked_and_the_version(tmp_path, capsys):
    path = tmp_path / "train.py"
    path.write_text(WRONG)
    assert main(["check", "--json", str(path)]) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["version"] == ts.__version__
    assert any("backward passes" in words for words in told["checked"])
    with ts.watch() as report:
        train(clear=False)
    names = ("rule", "title", "level", "file", "line", "evidence", "fix")
    assert set(names) <= set(told["findings"][0])
    (finding,) = report.findings
    told = [getattr(finding, name) for name in names]
    assert told[:3] == ["TS101", "gradients are never cleared", "error"]
    assert told[3] == __file__
    assert all(told)


def test_the_rules_are_listed_and_each_has_a_page(capsys):
    assert main(["check", "--rules"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(rules())
    assert any(line.startswith("TS101  error    never_cleared") for line in listed)
    assert main(["check", "--rule", "ts101"]) == 0
    page = capsys.readouterr().out
    assert main(["check", "--rule", "never_cleared"]) == 0
    assert capsys.readouterr().out == page
    assert "False alarms:" in page
    assert main(["check", "--rule", "never_cleard", "--json"]) == 2
    assert (
        json.loads(capsys.readouterr().out)["error"] == "there is no rule 'never_cleard'; did you mean never_cleared?"
    )


def test_the_cells_of_a_notebook_are_checked(tmp_path, capsys):
    head, _, loop = WRONG.partition("for step")
    cells = ["%matplotlib inline\nimport os", "%%bash\nexit 3", head, f"for step{loop}"]
    told = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Text"]}, *told], "nbformat": 4}))
    assert main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert f"{path}[4]:4: error TS101" in out
    assert "    loss.backward()" in out
    path.write_text("{}")
    assert main(["check", str(path)]) == 2
    assert "is no notebook" in capsys.readouterr().err


def test_every_rule_has_a_number_and_a_manual_page():
    known = rules()
    numbers = [each.rule.number for each in known.values()]
    assert len(set(numbers)) == len(numbers)
    for slug, each in known.items():
        assert each.rule.slug == slug
        parts = ("What:", "Why:", "Evidence:", "False alarms:", "Mend:", "Wrong:", "Right:")
        assert [f"{slug}: {part}" for part in parts if f"\n{part}" not in each.page] == []
