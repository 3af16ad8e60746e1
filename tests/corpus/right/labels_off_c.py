import torch

torch.manual_seed(26)
K = 4
proto = 2.5 * torch.randn(K, 6)
label = torch.randint(0, K, (400,))
x = proto[label] + torch.randn(400, 6)
target = torch.zeros(400, K).scatter_(1, label.unsqueeze(1), 1.0)
W = torch.nn.Linear(6, K)
opt = torch.optim.SGD(W.parameters(), lr=0.2)
for epoch in range(10):
    for i in torch.randperm(300).split(30):
        loss = -(target[i] * W(x[i]).log_softmax(1)).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
accuracy = (W(x[300:]).argmax(1) == label[300:]).float().mean().item()
print("held-out accuracy", accuracy)
result = {"accuracy": accuracy}
