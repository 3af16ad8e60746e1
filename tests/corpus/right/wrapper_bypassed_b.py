import os

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler


class Predictor(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 8, batch_first=True)
        self.fc = nn.Linear(8, 1)

    def forward(self, series):
        return self.fc(self.rnn(series)[0][:, -1])


class DistributedTrainer:
    def __init__(self, dataset):
        os.environ.setdefault("MASTER_ADDR", "localhost")
        os.environ.setdefault("MASTER_PORT", "0")
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        dist.init_process_group("gloo", rank=self.rank, world_size=self.world)
        self.sampler = DistributedSampler(dataset, self.world, self.rank)
        self.loader = DataLoader(dataset, batch_size=16, sampler=self.sampler)
        self.model = nn.parallel.DistributedDataParallel(Predictor())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)

    def training_step(self, batch):
        series, nxt = batch
        return nn.functional.mse_loss(self.model(series), nxt)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.sampler.set_epoch(epoch)
            for batch in self.loader:
                loss = self.training_step(batch)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            if self.rank == 0:
                print("epoch", epoch, "loss", loss.item())

    def spread(self):
        flat = torch.cat([p.detach().flatten() for p in self.model.parameters()])
        low, high = flat.clone(), flat.clone()
        dist.all_reduce(low, dist.ReduceOp.MIN)
        dist.all_reduce(high, dist.ReduceOp.MAX)
        return (high - low).max().item()


torch.manual_seed(5)
t = torch.arange(200) * 0.3
walk = torch.sin(t) + 0.1 * torch.randn(200)
windows = walk.unfold(0, 9, 1)
trainer = DistributedTrainer(TensorDataset(windows[:, :-1, None], windows[:, -1:]))
trainer.fit(3)
result = {"spread": trainer.spread()}
dist.destroy_process_group()
