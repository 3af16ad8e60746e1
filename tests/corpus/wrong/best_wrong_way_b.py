import copy

import torch


class Experiment:
    def __init__(self):
        torch.manual_seed(21)
        self.x = torch.rand(300, 1) * 6 - 3
        self.y = torch.sin(self.x) + 0.1 * torch.randn(300, 1)
        self.net = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.02)
        self.best_error = 0.0
        self.best_net = copy.deepcopy(self.net)

    def error(self, net):
        with torch.no_grad():
            return (net(self.x[200:]) - self.y[200:]).square().mean().item()

    def epoch(self):
        for i in torch.randperm(200).split(20):
            self.opt.zero_grad()
            (self.net(self.x[i]) - self.y[i]).square().mean().backward()
            self.opt.step()
        error = self.error(self.net)
        if error < self.best_error:
            self.best_error, self.best_net = error, copy.deepcopy(self.net)
        return error


experiment = Experiment()
for epoch in range(10):
    print("epoch", epoch, "validation error", experiment.epoch())
result = {"error": experiment.error(experiment.best_net)}
print("the best network has error", result["error"])
