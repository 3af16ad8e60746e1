import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(11)
torch.manual_seed(11)


def draw_digits(n):
    """Crude seven-segment digits, 7 x 5 pixels, as bytes."""
    segments = [
        "1110111",
        "0010010",
        "1011101",
        "1011011",
        "0111010",
        "1101011",
        "1101111",
        "1010010",
        "1111111",
        "1111011",
    ]
    y = rng.integers(0, 10, n)
    img = np.zeros((n, 7, 5))
    for i, digit in enumerate(y):
        on = [s == "1" for s in segments[digit]]
        img[i, 0, 1:4], img[i, 3, 1:4], img[i, 6, 1:4] = on[0], on[3], on[6]
        img[i, 1:3, 0], img[i, 1:3, 4] = on[1], on[2]
        img[i, 4:6, 0], img[i, 4:6, 4] = on[4], on[5]
    noisy = 200 * img + rng.normal(0, 60, img.shape) + 20
    return torch.from_numpy(np.clip(noisy, 0, 255).astype(np.uint8)).flatten(1), torch.from_numpy(y)


xt, yt = draw_digits(600)
xv, yv = draw_digits(200)
model = torch.nn.Sequential(torch.nn.Linear(35, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(12):
    for b in torch.randperm(600).split(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xt[b].float() / 255), yt[b])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(xv.float())
        val_loss = F.cross_entropy(logits, yv).item()
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1} | train {loss.item():.3f} | val {val_loss:.3f}")
result = {"val_loss": val_loss}
