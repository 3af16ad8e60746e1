"""What torch traces or compiles is the same under watch: as many graphs, and the same numbers."""

import sys

import pytest
import torch
from torch import nn

import truestep as ts
from truestep.check import compilers
from truestep.check.events import Forward
from truestep.check.watch import Watching


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))


def whole(net):
    return torch.compile(net, backend="eager")


def in_place(net):
    net.compile(backend="eager")
    return net


def function(net):
    return torch.compile(lambda x: net(x), backend="eager")


def decorated(net):
    @torch.compile(backend="eager")
    def run(x):
        return net(x)

    return run


def trained(made):
    """The weights after 300 updates of a compiled model, the last loss, and how often torch compiled."""
    import torch._dynamo as dynamo

    dynamo.reset()
    dynamo.utils.counters.clear()
    net, x = model(), torch.randn(64, 10)
    y, run = x.sum(1, keepdim=True), made(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(300):  # past the updates that are all looked at closely
        optimizer.zero_grad()
        loss = ((run(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
    graphs = dict(dynamo.utils.counters["stats"]), dict(dynamo.utils.counters["graph_break"])
    return [p.detach().clone() for p in net.parameters()], loss.item(), graphs


@pytest.mark.parametrize("made", [whole, in_place, pytest.param(function, marks=pytest.mark.long), decorated])
def test_a_model_is_compiled_as_often_as_without_the_watch(made):
    bare, loss, graphs = trained(made)
    with ts.watch() as report:
        watched, seen_loss, seen_graphs = trained(made)
    assert graphs == seen_graphs
    assert loss == seen_loss
    assert all(map(torch.equal, bare, watched))
    assert report.clean, report


def test_what_traces_is_let_be_also_where_it_is_loaded_while_the_watch_lasts(tmp_path, monkeypatch):
    (tmp_path / "traces_late.py").write_text("def export(model, x):\n    return model(x)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(compilers.TRACERS, "traces_late", ("export",))
    net, finders = model(), list(sys.meta_path)
    try:
        with Watching(strict=True) as seen:
            net(torch.ones(2, 10))
            import traces_late  # pyright: ignore[reportMissingImports] - written above

            own = traces_late.export
            traces_late.export(net, torch.ones(3, 10))
        assert [event.inputs[0].shape for event in seen.trace.of(Forward) if not event.depth] == [(2, 10)]
        assert traces_late.export is not own, "what was replaced is put back"
        assert traces_late.export.__code__.co_filename == traces_late.__file__
        assert sys.meta_path == finders
        assert "exec_module" not in vars(traces_late.__loader__)
    finally:
        sys.modules.pop("traces_late", None)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_model_is_traced_and_not_what_looks_at_it():
    net, x = model(), torch.randn(256, 10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with ts.watch():
        for _ in range(300):  # so that it is traced between close looks
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
        traced, graph = torch.jit.trace(net, x), torch.fx.symbolic_trace(net)
    operations = [node.kind() for node in traced.inlined_graph.nodes() if node.kind().startswith("aten::")]
    assert operations == ["aten::linear", "aten::relu", "aten::linear"]
    assert [node.op for node in graph.graph.nodes].count("call_module") == 3
    assert torch.equal(traced(x), net(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_class_that_is_scripted_finds_the_names_where_it_was_written():
    def work():
        def more(level: int) -> int:
            return level + 1

        @torch.jit.script
        class Level:
            def __init__(self, level: int = 1):
                self.level = more(level)

        return Level(2).level

    with Watching(strict=True):
        assert work() == 3
    assert work() == 3
