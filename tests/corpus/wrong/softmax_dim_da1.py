import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(2)
policy = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(policy.parameters(), lr=0.02)


def probabilities(state):
    return torch.softmax(policy(state), dim=0)


won = []
for episode in range(50):
    logs, rewards = [], []
    for _ in range(10):
        side = int(torch.randint(0, 2, ()))
        state = nn.functional.one_hot(torch.tensor([side]), 2).float()
        choice = Categorical(probabilities(state))
        action = choice.sample()
        logs.append(choice.log_prob(action))
        rewards.append(1.0 if action.item() == side else -1.0)
    loss = -(torch.cat(logs) * torch.tensor(rewards)).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    won.append(sum(rewards))
result = {"won": sum(won[-10:]) / 100}
print(result)
