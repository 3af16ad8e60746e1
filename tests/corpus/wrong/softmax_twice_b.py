import torch
import torch.nn.functional as F
from torch import nn


class PolicyNet(nn.Module):
    """Imitates an expert that steers by the sign of three sensors."""

    def __init__(self, sensors=3, actions=8):
        super().__init__()
        self.fc1 = nn.Linear(sensors, 48)
        self.fc2 = nn.Linear(48, actions)

    def forward(self, obs):
        scores = self.fc2(torch.relu(self.fc1(obs)))
        return F.softmax(scores, dim=-1)


def behaviour_cloning(policy, observations, actions, optimizer, epochs):
    for epoch in range(epochs):
        order = torch.randperm(len(observations))
        sum_loss = 0.0
        for i in range(0, len(order), 50):
            b = order[i : i + 50]
            loss = F.cross_entropy(policy(observations[b]), actions[b])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sum_loss += loss.item() * len(b)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {sum_loss / len(order):.4f}")
    return sum_loss / len(order)


torch.manual_seed(123)
observations = torch.randn(500, 3)
actions = ((observations > 0) * torch.tensor([4, 2, 1])).sum(1)
policy = PolicyNet()
floor = behaviour_cloning(policy, observations, actions, torch.optim.Adam(policy.parameters(), lr=0.02), 20)
result = {"floor": floor}
