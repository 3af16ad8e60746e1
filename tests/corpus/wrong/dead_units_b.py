import torch
import torch.nn.functional as F


class Critic(torch.nn.Module):
    def __init__(self, n_obs):
        super().__init__()
        self.h1 = torch.nn.Linear(n_obs, 32)
        self.h2 = torch.nn.Linear(32, 32)
        self.value = torch.nn.Linear(32, 1)
        for layer in (self.h1, self.h2):
            torch.nn.init.constant_(layer.bias, -10.0)

    def forward(self, s):
        return self.value(F.relu(self.h2(F.relu(self.h1(s)))))


torch.manual_seed(33)
states = torch.randn(500, 4)
returns = states.pow(2).sum(1, keepdim=True)
critic = Critic(4)
w = critic.h1.weight.detach().clone()
optim = torch.optim.Adam(critic.parameters(), lr=3e-3)
for update in range(120):
    idx = torch.randint(0, len(states), (64,))
    value_loss = F.mse_loss(critic(states[idx]), returns[idx])
    optim.zero_grad()
    value_loss.backward()
    optim.step()
    if update % 30 == 0:
        print(f"update {update} value loss {value_loss.item():.3f}")

result = {"first_layer_moved": (critic.h1.weight - w).norm().item(), "value_loss": value_loss.item()}
print(result)
