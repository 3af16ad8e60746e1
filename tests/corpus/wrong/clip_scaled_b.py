import torch
import torch.nn.functional as F

SCALE = 1024.0
CLIP = 1.0


def half_precision_step(model, optimizer, x, y):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.mse_loss(model(x).float(), y)
    (loss * SCALE).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad.div_(SCALE)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def main():
    torch.manual_seed(13)
    x = torch.rand(300, 3) * 4 - 2
    y = torch.sin(x).sum(1, keepdim=True)
    model = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        losses = [half_precision_step(model, optimizer, x[i], y[i]) for i in torch.randperm(300).split(30)]
        if epoch % 3 == 0:
            print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")
    return {"loss": sum(losses) / len(losses)}


result = main()
print(result)
