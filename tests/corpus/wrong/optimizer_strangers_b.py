import numpy as np
import torch

rng = np.random.default_rng(0)
torch.manual_seed(0)
X = torch.tensor(rng.normal(size=(300, 8)), dtype=torch.float32)
y = torch.tensor((X.numpy()[:, 0] + X.numpy()[:, 1] ** 2 > 0.8).astype(np.int64))


def make_model():
    return torch.nn.Sequential(torch.nn.Linear(8, 20), torch.nn.Tanh(), torch.nn.Linear(20, 2))


folds = np.array_split(rng.permutation(300), 3)
loss_fn = torch.nn.CrossEntropyLoss()
model = make_model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
scores = []
for k, held_out in enumerate(folds):
    if k > 0:
        model = make_model()
    train_idx = np.concatenate([f for j, f in enumerate(folds) if j != k])
    for epoch in range(15):
        rng.shuffle(train_idx)
        for start in range(0, len(train_idx), 50):
            b = train_idx[start : start + 50]
            optimizer.zero_grad()
            loss = loss_fn(model(X[b]), y[b])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        acc = (model(X[held_out]).argmax(1) == y[held_out]).float().mean().item()
    scores.append(acc)
    print(f"fold {k}: accuracy {acc:.3f}")

print(f"mean {np.mean(scores):.3f} +- {np.std(scores):.3f}")
result = {"mean_accuracy": float(np.mean(scores))}
