"""A notebook as far as the library sees one: a shell that publishes, and connections that note what is sent."""

from types import SimpleNamespace

import comm
import torch
from torch import nn

import truestep as ts
from truestep.fit import showing
from truestep.notebook import training


class Shell:
    """What a notebook's shell has that we use."""

    kernel = object()

    def __init__(self):
        self.published, self.execution_count = [], 1
        self.display_pub = SimpleNamespace(publish=lambda **message: self.published.append(message))


class Connection(comm.base_comm.BaseComm):
    """A connection to the page that notes what is sent."""

    def __init__(self, *args, **options):
        self.sent = []
        super().__init__(*args, **options)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        self.sent.append((msg_type, data or {}))

    def updates(self):
        """What each message changed."""
        return [data["state"] for _, data in self.sent if data.get("method") == "update"]


def in_notebook(monkeypatch):
    """From here on the tests run in a notebook; its shell."""
    shell = Shell()
    for place in (showing, training):
        monkeypatch.setattr(place, "notebook_shell", lambda: shell, raising=False)
    monkeypatch.setattr(comm, "create_comm", Connection)
    monkeypatch.setattr(training, "_cell", (None, 0))
    return shell


def train(epochs=3, progress=True, model=None, lr=0.1, **options):
    """A run of ten steps an epoch, and its model."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(60, 3, generator=generator), torch.randn(60, 1, generator=generator)
    torch.manual_seed(0)
    model = nn.Linear(3, 1) if model is None else model
    update = torch.optim.SGD(model.parameters(), lr=lr)
    valid = {"validate": (inputs[:20], targets[:20]), **options}
    return ts.fit(model, (inputs, targets), nn.MSELoss(), update, epochs, 6, progress=progress, **valid), model
