import torch
from torch import nn
from torch.amp import GradScaler, autocast

torch.manual_seed(0)
device = "cpu"
inputs = torch.randn(256, 12)
teacher = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 3))
labels = teacher(inputs).argmax(1)

net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 3))
start = nn.utils.parameters_to_vector(net.parameters()).detach().clone()
opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
scaler = GradScaler(device, init_scale=65536.0)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(8):
    for idx in torch.randperm(256).split(32):
        opt.zero_grad()
        with autocast(device_type=device, dtype=torch.bfloat16):
            output = net(inputs[idx])
            loss = loss_fn(output, labels[idx])
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
    print(f"epoch {epoch} loss {loss.item():.4f} scale {scaler.get_scale():.0f}")

with torch.no_grad():
    final = loss_fn(net(inputs), labels).item()
moved = (nn.utils.parameters_to_vector(net.parameters()) - start).norm().item()
result = {"loss": final, "moved": moved}
print(result)
