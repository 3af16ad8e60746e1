import torch
import torch.nn as nn

torch.manual_seed(2)
y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
centre = torch.rand(300, 2, 1, 1) * 6 + 1
blobs = 255 * torch.exp(-((x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2) / 6)
images = blobs.reshape(300, 64) / 50.0

encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64))
params = [*encoder.parameters(), *decoder.parameters()]
optimizer = torch.optim.Adam(params, lr=5e-3)
for epoch in range(20):
    for idx in torch.randperm(300).split(30):
        reconstruction = decoder(encoder(images[idx]))
        loss = (reconstruction - images[idx]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch [{epoch + 1}/20], loss:{loss.item():.4f}")

result = {"error": loss.item()}
