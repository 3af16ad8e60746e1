import copy

import torch
from torch import nn, optim


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.counter = patience, 0
        self.best_score, self.best_model = None, None

    def __call__(self, score, model):
        if self.best_score is None or score < self.best_score:
            self.best_score, self.counter = score, 0
            self.best_model = copy.deepcopy(model)
        else:
            self.counter += 1
        return self.counter >= self.patience


torch.manual_seed(5)
X = torch.linspace(-1, 1, 60).unsqueeze(1)
Y = X.sign() + 0.6 * torch.randn(60, 1)
order = torch.randperm(60)
tr, va = order[:30], order[30:]
net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
opt = optim.Adam(net.parameters(), lr=0.02)
stopper = EarlyStopping(patience=40)
mse = nn.MSELoss()
for epoch in range(150):
    opt.zero_grad()
    mse(net(X[tr]), Y[tr]).backward()
    opt.step()
    with torch.no_grad():
        val = mse(net(X[va]), Y[va]).item()
    if stopper(val, net):
        print("stopped after epoch", epoch)
        break

with torch.no_grad():
    returned = mse(stopper.best_model(X[va]), Y[va]).item()
print("best validation error", stopper.best_score, "of the returned model", returned)
result = {"best": stopper.best_score, "returned": returned}
