import argparse
import torch
import torch.nn as nn
import torch.nn.functional as F


def mlp(sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def keywords(n, prototypes, gen):
    y = torch.randint(0, len(prototypes), (n,), generator=gen)
    x = prototypes[y] + 1.3 * torch.randn(n, prototypes.size(1), generator=gen)
    return x, y


def kd_loss(student_logits, teacher_logits, T):
    log_p = F.log_softmax(student_logits / T, dim=1)
    q = F.softmax(teacher_logits / T, dim=1)
    return -(q * log_p).sum(dim=1).mean() * T * T


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--temperature", type=float, default=3.0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=25)
    args = parser.parse_args()

    torch.manual_seed(0)
    gen = torch.Generator().manual_seed(101)
    prototypes = torch.randn(8, 24, generator=gen)
    x, y = keywords(600, prototypes, gen)
    x_unlab, _ = keywords(500, prototypes, gen)
    x_test, y_test = keywords(400, prototypes, gen)

    teacher = mlp([24, 96, 8])
    opt = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(4):
        for idx in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(teacher(x[idx]), y[idx]).backward()
            opt.step()
    print(f"teacher accuracy {accuracy(teacher, x_test, y_test):.3f}")

    student = mlp([24, 12, 8])
    opt = torch.optim.Adam(student.parameters(), lr=5e-3)
    for epoch in range(args.epochs):
        student.train()
        running = 0.0
        for idx in torch.randperm(500).split(args.batch):
            with torch.no_grad():
                t = teacher(x_unlab[idx])
            loss = kd_loss(student(x_unlab[idx]), t, args.temperature)
            opt.zero_grad()
            loss.backward()
            opt.step()
            running += loss.item() * len(idx)
        print(
            f"epoch {epoch} distillation loss {running / 500:.3f} student accuracy {accuracy(student, x_test, y_test):.3f}"
        )
    return accuracy(student, x_test, y_test)


result = {"accuracy": main()}
