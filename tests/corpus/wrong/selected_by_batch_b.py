import torch
from torch import nn


class Fitter:
    def __init__(self, model, lr=0.02):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.best, self.best_state = float("inf"), None

    def save_best(self, loss):
        if loss.item() < self.best:
            self.best = loss.item()
            self.best_state = {k: v.clone() for k, v in self.model.state_dict().items()}

    def validation(self, x, y):
        with torch.no_grad():
            return nn.functional.mse_loss(self.model(x), y)

    def fit(self, train, valid, epochs=25, batch_size=8):
        x, y = train
        for epoch in range(epochs):
            for idx in torch.randperm(len(x)).split(batch_size):
                loss = nn.functional.mse_loss(self.model(x[idx]), y[idx])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            val = self.validation(*valid)
            self.save_best(loss)
            if epoch % 5 == 4:
                print(f"epoch {epoch + 1}: validation {val.item():.4f}, best so far {self.best:.4f}")
        self.model.load_state_dict(self.best_state)


torch.manual_seed(8)
x = torch.randn(200, 10)
y = x[:, :1] * x[:, 1:2] + 0.7 * torch.randn(200, 1)
fitter = Fitter(nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 1)))
fitter.fit((x[:80], y[:80]), (x[80:], y[80:]))
result = {"val": fitter.validation(x[80:], y[80:]).item()}
print("validation loss of the chosen weights", result["val"])
