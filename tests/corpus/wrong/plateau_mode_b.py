import torch
from torch import nn

config = {
    "lr": 0.05,
    "epochs": 40,
    "plateau": {"mode": "max", "factor": 0.5, "patience": 3},
}


def build(cfg):
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=cfg["lr"], momentum=0.9)
    return net, opt, torch.optim.lr_scheduler.ReduceLROnPlateau(opt, **cfg["plateau"])


def main(cfg):
    torch.manual_seed(3)
    xy = torch.rand(250, 2) * 4 - 2
    z = torch.sin(xy[:, :1]) * xy[:, 1:]
    net, opt, plateau = build(cfg)
    for epoch in range(cfg["epochs"]):
        for rows in torch.randperm(200).split(50):
            opt.zero_grad()
            nn.functional.mse_loss(net(xy[rows]), z[rows]).backward()
            opt.step()
        with torch.no_grad():
            val = nn.functional.mse_loss(net(xy[200:]), z[200:])
        plateau.step(val)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:2d} val {val.item():.4f} lr {opt.param_groups[0]['lr']:.4f}")
    return {"loss": val.item(), "rate": opt.param_groups[0]["lr"]}


result = main(config)
