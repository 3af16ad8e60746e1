"""What 1 process and 2 ranks each do; `python -m ranks.scenarios FILE` runs all of them under torchrun's variables.

The same program runs alone and on two gloo ranks. Each scenario returns figures and weights, which rank 0 writes down.
"""

import json
import signal
import sys
import tempfile
from pathlib import Path

import torch
from torch import distributed as dist
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

import truestep as ts
from laws.resume_cases import differences


def _data(samples=37, ignored=(3, 8, 9, 10, 11, 12, 13)):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(samples, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 4, (samples,), generator=generator)
    y[[index for index in ignored if index < samples]] = -100
    return x, y


def _model():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 4)).double()


def _flat(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()


def _result(model, run):
    return {"weights": _flat(model), "history": [dict(record) for record in run.history], "notes": run.notes}


CLASS_WEIGHTS = torch.tensor([0.2, 1.0, 3.0, 0.7], dtype=torch.float64)


def unequal_tokens():
    """Class weights and ignored labels: ranks hold unequal counts, and the last batch has one sample."""
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    loss = nn.CrossEntropyLoss(weight=CLASS_WEIGHTS)
    metrics = {"accuracy": ts.metrics.accuracy}
    run = ts.fit(model, _data(), loss, optimizer, 3, 12, _data(7), metrics, clip_norm=0.5, progress=False)
    return _result(model, run)


def mixed_counts():
    """A mean over tokens, a sum, and a mean whose count only the outputs tell."""
    model = _model()
    objective = ts.Objective(
        tokens=nn.CrossEntropyLoss(weight=CLASS_WEIGHTS),
        sum=(0.01, ts.Term(lambda out, y: out.abs().sum(), reduction="sum")),
        late=ts.Term(lambda out, y: out.square().mean(), reduction="mean", count=lambda out, y: len(y)),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    run = ts.fit(model, _data(), objective, optimizer, 2, 9, _data(10), micro_batch=2, accumulate=3, progress=False)
    return _result(model, run)


def hand_written():
    """An updater that divides summed gradients by the count of both ranks."""
    w = torch.full((5, 1), 0.1, dtype=torch.float64, requires_grad=True)
    x, _ = _data(9)

    def sgd(batch_size):
        w.sub_(0.1 * w.grad / batch_size)

    run = ts.fit(lambda x: x @ w, (x, x[:, :1]), lambda o, y: (o - y) ** 2, sgd, 2, 4, params=[w], progress=False)
    return {"weights": w.detach().flatten().tolist(), "history": [dict(record) for record in run.history]}


def loader():
    """A loader that is the same on every rank is shared out batch by batch."""
    model, (x, y) = _model(), _data()
    batches = DataLoader(TensorDataset(x, y), batch_size=10, shuffle=True)
    run = ts.fit(model, batches, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1), 2, progress=False)
    return _result(model, run)


def unused_parameter():
    """A layer that no rank uses keeps no gradient, and decay leaves it alone."""
    model = _model()
    model.extra = nn.Linear(2, 2).double()
    model.forward = lambda x: model[2](model[1](model[0](x)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    ts.fit(model, _data(), nn.CrossEntropyLoss(), optimizer, 1, 12, progress=False)
    return {"weights": _flat(model), "untouched": model.extra.weight.grad is None}


def every_sample_once():
    """Which samples each rank saw, of 9 in batches of 4: together every one once."""
    seen = []

    def model(x):
        seen.extend(x[:, 0].tolist())
        return x * w

    w = torch.ones(1, requires_grad=True)
    x = torch.arange(9.0).unsqueeze(1)
    ts.fit(model, (x, x), nn.MSELoss(), torch.optim.SGD([w], lr=0.0), 1, 4, progress=False)
    if dist.is_initialized():
        everyone = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, seen)
        seen = [value for one in everyone for value in one]
    return {"seen": sorted(seen)}


def own_sampler():
    """A DistributedSampler repeats a sample of 9, which is said, and unequal shares do not hang."""
    x = torch.arange(9.0).unsqueeze(1)
    model = nn.Linear(1, 1)
    data = TensorDataset(x, x)
    rank, size = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    batches = DataLoader(data, batch_size=2, sampler=DistributedSampler(data, size, rank))
    run = ts.fit(model, batches, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.0), 1, progress=False)
    return {"notes": run.notes, "samples": run.history[0].samples}


def own_loaders():
    """Each rank has a loader of its own share, 8 and 4 samples: all 12 count."""
    x = torch.arange(12.0).unsqueeze(1)
    if dist.is_initialized():
        x = x[:8] if dist.get_rank() == 0 else x[8:]
    model = nn.Linear(1, 1)
    batches = DataLoader(TensorDataset(x, x), batch_size=2)
    run = ts.fit(model, batches, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.0), 2, progress=False)
    return {"notes": run.notes, "samples": [record.samples for record in run.history]}


def couples():
    """A term that couples samples is refused rather than split over ranks."""
    model = _model()
    objective = ts.Objective(ts.Term(lambda out, y: out.std(), couples=True))
    step = ts.TrainStep(model, objective, torch.optim.SGD(model.parameters(), lr=0.1))
    try:
        step(*_data())
    except ts.CountError as error:
        return {"error": str(error)}
    return {"error": ""}


def batch_normalisation():
    """What cannot be exact is said."""
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = ts.fit(model, _data(36), nn.CrossEntropyLoss(), optimizer, 1, 12, progress=False)
    return {"notes": run.notes}


def starts_agree():
    """Ranks that begin with other weights train those of rank 0."""
    torch.manual_seed(dist.get_rank() if dist.is_initialized() else 0)
    model = nn.Linear(5, 4).double()
    ts.fit(model, _data(), nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1), 1, 12, progress=False)
    return {"weights": _flat(model)}


def _noisy(stop=None, **options):
    """Dropout, running statistics, sums of a metric and a window that waits: all that differs from rank to rank."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 4)).double()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    def interrupt(event):
        if isinstance(event, ts.events.Stepped) and event.step == stop and _last_rank():
            signal.raise_signal(signal.SIGTERM)

    options |= {"accumulate": 3, "tail": "carry", "metrics": {"accuracy": ts.metrics.accuracy}, "progress": False}
    data, observers = _data(40, ignored=()), [interrupt] if stop else []
    run = ts.fit(model, data, nn.CrossEntropyLoss(), optimizer, 4, 4, _data(8, ()), observers=observers, **options)
    history = [{name: value for name, value in record.items() if name != "seconds"} for record in run.history]
    return {"weights": model.state_dict(), "optimizer": optimizer.state_dict(), "history": history}


def _last_rank():
    return not dist.is_initialized() or dist.get_rank() == dist.get_world_size() - 1


def goes_on():
    """A signal reaches one rank amid an epoch; both save, end, and go on to the same bits. Differences of all ranks."""
    box = [tempfile.mkdtemp()]
    if dist.is_initialized():
        dist.broadcast_object_list(box, 0)
    whole, ends, found = _noisy(), [], []
    for stop in (3, 5):
        folder = f"{box[0]}/{stop}"
        try:
            _noisy(stop, checkpoint=folder)
        except KeyboardInterrupt as end:
            ends.append(str(end).partition(";")[0])
        found += differences(whole, _noisy(checkpoint=folder, resume=True))
    try:
        _noisy(checkpoint=folder, resume=True, clip_norm=1.0)
    except ts.ConfigError as error:
        ends.append(str(error).partition("another run: ")[2].partition(";")[0])
    if dist.is_initialized():
        everyone = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, (ends, found))
        ends, found = ([one[k] for one in everyone] for k in range(2))
    return {"ends": ends, "differences": found}


SCENARIOS = (
    unequal_tokens,
    mixed_counts,
    hand_written,
    loader,
    unused_parameter,
    every_sample_once,
    own_sampler,
    own_loaders,
    couples,
    batch_normalisation,
    starts_agree,
    goes_on,
)


def run_all():
    """Every scenario's figures by name."""
    return {scenario.__name__: scenario() for scenario in SCENARIOS}


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = run_all()
    if dist.get_rank() == 0:
        Path(sys.argv[1]).write_text(json.dumps(found))
    dist.destroy_process_group()
