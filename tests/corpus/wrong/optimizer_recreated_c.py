import torch

torch.manual_seed(5)
X = torch.randn(200, 20) + torch.randn(200, 1)
y = X @ torch.randn(20) + 0.5
model = torch.nn.Linear(20, 1)
lr = 0.1
for epoch in range(80):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr * 0.98**epoch)
    for rows in torch.randperm(200).split(200):
        optimizer.zero_grad()
        loss = ((model(X[rows]).squeeze(1) - y[rows]) ** 2).mean()
        loss.backward()
        optimizer.step()
    if epoch % 20 == 19:
        print(f"epoch {epoch + 1}  mse {loss.item():.6f}")
with torch.no_grad():
    result = {"loss": ((model(X).squeeze(1) - y) ** 2).mean().item()}
