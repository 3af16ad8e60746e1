import torch
from torch import nn

torch.manual_seed(0)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.choice, self.value = nn.Linear(4, 16), nn.Linear(16, 2), nn.Linear(16, 1)

    def forward(self, state):
        hidden = torch.tanh(self.body(state))
        return torch.softmax(self.choice(hidden), -1), self.value(hidden)


policy = Policy()
start = policy.choice.weight.detach().clone()
opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
for episode in range(6):
    choices, values = [], []
    for step in range(70):
        state = torch.randn(4)
        chances, value = policy(state)
        drawn = torch.distributions.Categorical(chances)
        action = drawn.sample()
        reward = 1.0 if (action.item() == 1) == (state[0].item() > 0) else 0.0
        choices.append(-drawn.log_prob(action) * (reward - value.item()))
        values.append(nn.functional.smooth_l1_loss(value, torch.tensor([reward])))
    opt.zero_grad()
    loss = torch.tensor(choices).sum() + torch.stack(values).sum()
    loss.backward()
    opt.step()
    print(episode, loss.item())
result = {"moved": (policy.choice.weight.detach() - start).norm().item()}
