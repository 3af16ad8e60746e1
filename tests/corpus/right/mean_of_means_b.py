import torch


def load_array(data_arrays, batch_size, is_train=True):
    dataset = torch.utils.data.TensorDataset(*data_arrays)
    return torch.utils.data.DataLoader(dataset, batch_size, shuffle=is_train)


torch.manual_seed(12)
features = torch.randn(254, 2)
labels = features @ torch.tensor([[2.0], [-3.4]]) + 4.2
labels[::9] += 12 * torch.randn(29, 1)
train_iter = load_array((features, labels), 50)
net = torch.nn.Sequential(torch.nn.Linear(2, 1))
loss = torch.nn.MSELoss()
trainer = torch.optim.SGD(net.parameters(), lr=0.03)

history = []
for epoch in range(5):
    total = 0.0
    for X, y in train_iter:
        l = loss(net(X), y)
        trainer.zero_grad()
        l.backward()
        trainer.step()
        total += l.item() * len(X)
    history.append(total / len(features))
    print(f"epoch {epoch + 1}, loss {history[-1]:f}")
result = {"first_epoch": history[0]}
