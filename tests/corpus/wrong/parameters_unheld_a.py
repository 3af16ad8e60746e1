import torch
from torch import nn, optim


class AutoEncoder(nn.Module):
    def __init__(self, n_in=16, n_code=2):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n_in, 12), nn.Tanh(), nn.Linear(12, n_code))
        self.decoder = nn.Sequential(nn.Linear(n_code, 12), nn.Tanh(), nn.Linear(12, n_in))

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code)


torch.manual_seed(0)
latent = torch.randn(500, 2)
observed = torch.tanh(latent @ torch.randn(2, 16)) + 0.02 * torch.randn(500, 16)

ae = AutoEncoder()
frozen_copy = [p.detach().clone() for p in ae.encoder.parameters()]
optimizer = optim.Adam(ae.decoder.parameters(), lr=5e-3)
loss_func = nn.MSELoss()
for epoch in range(10):
    for batch in observed[torch.randperm(500)].split(25):
        loss = loss_func(ae(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("Epoch: ", epoch, "| train loss: %.4f" % loss.item())

final = loss_func(ae(observed), observed).item()
moved = sum((p - q).norm().item() for p, q in zip(ae.encoder.parameters(), frozen_copy))
result = {"loss": final, "encoder_moved": moved}
