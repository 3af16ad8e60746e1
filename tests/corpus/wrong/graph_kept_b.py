import torch
import torch.nn as nn

torch.manual_seed(12)
series = torch.sin(torch.arange(0, 60, 0.1)) + 0.1 * torch.randn(600)
windows = series.unfold(0, 20, 1)
X, Y = windows[:, :-1].unsqueeze(-1), windows[:, -1:]
n_train = 460


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 16, batch_first=True)
        self.fc = nn.Linear(16, 1)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


model = Forecaster()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
history = []
for epoch in range(8):
    model.train()
    for idx in torch.randperm(n_train).split(46):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X[idx]), Y[idx])
        loss.backward()
        opt.step()
    model.eval()
    forecast = model(X[n_train:])
    history.append(forecast)
    print(f"epoch {epoch}: val mse {nn.functional.mse_loss(forecast, Y[n_train:]).item():.4f}")

change = (history[-1] - history[0]).abs().mean().item()
print("mean change of the forecast since the first epoch:", change)
result = {"change": change}
