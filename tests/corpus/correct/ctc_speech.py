"""CTC on invented speech; log_softmax belongs before CTCLoss."""

import torch
import torch.nn as nn

torch.manual_seed(30)
BLANK, SYMBOLS, T = 0, 5, 18
sound = torch.randn(SYMBOLS, 6)
model = nn.GRU(6, 24, bidirectional=True)
head = nn.Linear(48, SYMBOLS)
ctc = nn.CTCLoss(blank=BLANK)
optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01)
for step in range(60):
    lengths = torch.randint(2, 5, (16,))
    words = [torch.randint(1, SYMBOLS, (n,)) for n in lengths.tolist()]
    audio = torch.stack([sound[w.repeat_interleave(T // len(w) + 1)[:T]] for w in words], dim=1)
    audio = audio + 0.2 * torch.randn_like(audio)
    log_probs = head(model(audio)[0]).log_softmax(2)
    loss = ctc(log_probs, torch.cat(words), torch.full((16,), T), lengths)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 20 == 19:
        print("step", step + 1, "ctc", loss.item())
result = {"loss": loss.item()}
