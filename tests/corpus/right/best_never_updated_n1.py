"""Four stations, a model for each: the checkpoint of the best epoch is a file that all of them write to."""

import tempfile
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(13)
weights = torch.randn(4, 5)
spread = [0.1, 0.4, 0.8, 1.2]


def station(number):
    x = torch.randn(120, 5)
    y = torch.tanh(x @ weights[number]) + spread[number] * torch.randn(120)
    return x[:90], y[:90], x[90:], y[90:]


def mse(model, x, y):
    return nn.functional.mse_loss(model(x).flatten(), y)


def held_out(model, x, y):
    model.eval()
    with torch.no_grad():
        return mse(model, x, y).item()


errors = []
lowest = 1e9
with tempfile.TemporaryDirectory() as folder:
    checkpoint = Path(folder) / "best.pt"
    for number in range(4):
        x, y, x_test, y_test = station(number)
        model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        lowest = 1e9
        for epoch in range(8):
            model.train()
            for rows in torch.randperm(90).split(30):
                optimizer.zero_grad()
                mse(model, x[rows], y[rows]).backward()
                optimizer.step()
            error = held_out(model, x_test, y_test)
            if error < lowest:
                lowest = error
                torch.save(model.state_dict(), checkpoint)
        model.load_state_dict(torch.load(checkpoint))
        errors.append(held_out(model, x_test, y_test) - error)
        print(f"station {number}: {errors[-1]:+.3f} against the last epoch")
result = {"gain": max(errors)}
