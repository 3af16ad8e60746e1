import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    def __init__(self, d_in, d_hidden, d_out):
        super().__init__()
        self.d_hidden, self.d_out = d_hidden, d_out
        self.layer1 = nn.Linear(d_in, d_hidden)
        self.layer2 = nn.Linear(d_hidden, d_out)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        return self.layer2(x)


torch.manual_seed(0)
X = torch.randn(512, 6)
Y = X[:, :2] * X[:, 2:4]
model = MLP(6, 48, 2)
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(15):
    epoch_loss = 0.0
    for i in torch.randperm(512).chunk(8):
        opt.zero_grad()
        loss = F.mse_loss(model(X[i]), Y[i])
        loss.backward()
        opt.step()
        epoch_loss += loss.item() / 8
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1:2d} loss {epoch_loss:.4f}")

result = {"loss": epoch_loss, "parameters": sum(p.numel() for p in model.parameters())}
