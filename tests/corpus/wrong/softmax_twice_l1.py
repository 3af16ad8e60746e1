import torch
from torch import nn

torch.manual_seed(4)
x = torch.randn(400, 8)
y = (x @ torch.randn(8, 5)).argmax(1)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 5))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(15):
    for part in torch.randperm(400).split(50):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            said = net(x[part]).softmax(1)
        loss = nn.functional.cross_entropy(said.float(), y[part])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    final = nn.functional.nll_loss(net(x).softmax(1).log(), y).item()
print("loss", loss.item(), "of the probabilities", final)
result = {"loss": loss.item(), "final": final}
