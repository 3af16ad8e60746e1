import torch
import torch.nn as nn


class StepwiseRNN(nn.Module):
    def __init__(self, d_in=3, d_hidden=20, d_out=2):
        super().__init__()
        self.cell = nn.RNNCell(d_in, d_hidden)
        self.readout = nn.Linear(d_hidden, d_out)

    def forward(self, inputs):
        B, T, _ = inputs.shape
        h = inputs.new_zeros(B, self.cell.hidden_size)
        outs = []
        for t in range(T):
            h = self.cell(inputs[:, t], h)
            outs.append(h)
        hidden = torch.stack(outs, dim=1)
        return self.readout(hidden)


torch.manual_seed(14)
x = torch.randn(240, 6, 3)
y = (x[..., 0].cumsum(1) > 0).long()
model = StepwiseRNN()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(10):
    for rows in torch.randperm(240).split(30):
        loss = nn.functional.cross_entropy(model(x[rows]).flatten(0, 1), y[rows].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} tagging loss {loss.item():.4f}")
result = {"loss": loss.item()}
