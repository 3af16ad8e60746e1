"""A run that is long enough to be interrupted: `python -m faults.long_run FOLDER [EVERY] [hang]`, a step a line."""

import sys
import time

import torch
from torch import nn

import truestep as ts

torch.set_num_threads(1)


def main(folder, every="", hang=""):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.2), nn.Linear(5, 3))
    x, y = torch.randn(40, 6), torch.randint(0, 3, (40,))

    def show(event):
        if isinstance(event, ts.events.Stepped):
            sys.stdout.write(f"step {event.step}\n")
            sys.stdout.flush()
            time.sleep(60 if hang and event.step == 3 else 0.002)

    options = {"epochs": 400, "batch_size": 4, "progress": False, "observers": [show]}
    if folder != "none":
        options["checkpoint"] = ts.Checkpoints(folder, every=int(every) if every else None)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    ts.fit(model, (x, y), nn.CrossEntropyLoss(), optimizer, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
