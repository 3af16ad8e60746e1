import torch


class LogisticRegression:
    def __init__(self, n_features, l2=1e-3):
        self.w = torch.zeros(n_features, dtype=torch.float64, requires_grad=True)
        self.b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        self.l2 = l2

    def objective(self, X, y):
        z = X @ self.w + self.b
        return torch.nn.functional.binary_cross_entropy_with_logits(z, y) + self.l2 * self.w.square().sum()

    def fit(self, X, y, steps=4):
        opt = torch.optim.LBFGS([self.w, self.b], lr=1, max_iter=20)

        def evaluate():
            value = self.objective(X, y)
            value.backward()
            return value

        for k in range(steps):
            opt.zero_grad()
            value = opt.step(evaluate)
            print(f"outer step {k}: objective {value.item():.6f}")
        return self


torch.manual_seed(9)
X = torch.randn(250, 8, dtype=torch.float64) * torch.logspace(-1, 1, 8, dtype=torch.float64)
y = (torch.rand(250) < torch.sigmoid(X.float() @ torch.randn(8))).double()
clf = LogisticRegression(8).fit(X, y)
result = {"nll": clf.objective(X, y).item()}
print(result)
