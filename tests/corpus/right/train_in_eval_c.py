import torch
import torch.nn as nn

torch.manual_seed(18)
x = torch.randn(300, 20)
y = (x[:, 0] + 1.2 * torch.randn(300) > 0).long()
net = nn.Sequential(nn.Linear(20, 128), nn.ReLU(), nn.Dropout(0.7), nn.Linear(128, 2))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
ce = nn.CrossEntropyLoss()


class Session:
    def __init__(self, model):
        self.model = model

    def validate(self):
        model = self.model
        model.eval()
        with torch.no_grad():
            value = ce(model(x[100:]), y[100:]).item()
        model.train()
        return value

    def run(self, epochs):
        for epoch in range(epochs):
            for rows in torch.randperm(100).split(20):
                opt.zero_grad()
                ce(self.model(x[rows]), y[rows]).backward()
                opt.step()
            val = self.validate()
            if epoch % 5 == 4:
                print(f"epoch {epoch + 1} validation loss {val:.4f}")
        return val


result = {"overfit": Session(net).run(25)}
