import torch
from torch import nn

torch.manual_seed(12)
x = torch.rand(320, 5) * 2 - 1
y = 3 * x[:, :1] * x[:, 1:2] + x[:, 2:3].exp()
net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu")
for step in range(80):
    rows = torch.randint(0, 320, (32,))
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x[rows])
    loss = nn.functional.mse_loss(out.float(), y[rows])
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    nn.utils.clip_grad_value_(net.parameters(), 0.5)
    scaler.step(opt)
    scaler.update()
    opt.zero_grad()
with torch.no_grad():
    result = {"loss": nn.functional.mse_loss(net(x), y).item()}
