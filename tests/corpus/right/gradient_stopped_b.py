import torch
from torch import nn

torch.manual_seed(0)


def weighted_bce(logits, target, pos_weight):
    log_p = nn.functional.logsigmoid(logits)
    log_not_p = nn.functional.logsigmoid(-logits)
    losses = -(pos_weight * target * log_p + (1 - target) * log_not_p)
    return losses.mean()


x = torch.randn(500, 6)
y = ((x @ torch.randn(6)) > 1.5).float()
model = nn.Linear(6, 1)
w0 = model.weight.clone().detach()
opt = torch.optim.SGD(model.parameters(), lr=0.3)
for epoch in range(30):
    opt.zero_grad()
    loss = weighted_bce(model(x).squeeze(1), y, pos_weight=4.0)
    loss.backward()
    opt.step()
    if epoch % 10 == 9:
        print("Epoch", epoch + 1, "loss", loss.item())

moved = (model.weight - w0).norm().item()
print("weights moved by", moved)
result = {"moved": moved, "loss": loss.item()}
