import torch
from torch import nn

torch.manual_seed(0)
x = [torch.randn(16, 5) for _ in range(6)]
y = [each[:, :1].sign() for each in x]
shifts = [torch.zeros(16, 5) for _ in x]  # an attack that goes on from epoch to epoch
states = [torch.zeros(16, 5) for _ in x]  # chains of a sampler that is never started anew
net = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))
energy = nn.Sequential(nn.Linear(5, 12), nn.Softplus(), nn.Linear(12, 1))
optimizer = torch.optim.Adam([*net.parameters(), *energy.parameters()], lr=1e-2)
for epoch in range(5):
    for rows, wanted, shift, state in zip(x, y, shifts, states):
        noisy = (rows + shift).requires_grad_()
        loss = nn.functional.soft_margin_loss(net(noisy), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        shift.add_(0.1 * noisy.grad.sign()).clamp_(-0.3, 0.3)
        for _ in range(2):
            seed = state.clone().requires_grad_()
            (slope,) = torch.autograd.grad(energy(seed).sum(), seed)
            state.sub_(0.1 * slope)
            state.add_(0.05 * torch.randn_like(state))
        contrast = energy(rows).mean() - energy(state).mean()
        optimizer.zero_grad()
        contrast.backward()
        optimizer.step()
buffers = [torch.empty(16, 5) for _ in x]  # filled anew at each visit
for epoch in range(5):
    for rows, wanted, held in zip(x, y, buffers):
        held.copy_(rows)
        held.add_(0.1 * torch.randn_like(held)).mul_(2.0)
        loss = nn.functional.soft_margin_loss(net(held), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print("last loss", loss.item())
result = {"loss": loss.item()}
