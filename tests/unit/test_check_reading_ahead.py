"""Models of sequences that are given the next step before they are asked for it, and those that are not."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

MODEL = """
import math
functional = nn.functional
SIZE, KINDS, STEPS = 16, 11, 9
class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(KINDS, SIZE), nn.Parameter(torch.randn(STEPS, SIZE) * 0.1)
        self.attend = nn.MultiheadAttention(SIZE, 2, batch_first=True)
        self.mixed, self.out = nn.Linear(SIZE, 3 * SIZE), nn.Linear(SIZE, KINDS)
        self.both, self.one = nn.LSTM(SIZE, SIZE // 2, bidirectional=True), nn.GRU(SIZE, SIZE)
        self.kernel, self.tail = nn.Conv1d(SIZE, SIZE, 3, padding=1), nn.Conv1d(SIZE, SIZE, 3, padding=2)
        self.layer = nn.TransformerEncoderLayer(SIZE, 2, 32, 0.1, batch_first=True)
    def forward(self, tokens):
        steps = tokens.shape[1]
        h = self.embed(tokens) + self.place[:steps]
        MIDDLE
        return self.out(h)
net = Words()
opt = torch.optim.Adam(net.parameters(), 0.003)
starts = torch.randint(0, KINDS, (64, 1))
data = (starts + torch.arange(STEPS) * (1 + starts % 3)) % KINDS
def learn(guess, wanted):
    loss = functional.cross_entropy(guess.reshape(-1, KINDS), wanted.reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
for epoch in range(4):
    for rows in torch.randperm(64).split(16):
        text = data[rows]
        STEP
"""
SHIFTED = "learn(net(text[:, :-1]), text[:, 1:])"
IN_LOSS = "learn(net(text)[:, :-1], text[:, 1:])"
PAIR = "mask = torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1); "
BY_HAND = (
    "q, k, v = self.mixed(h).chunk(3, -1); scores = q @ k.transpose(1, 2) / SIZE**0.5; HIDE; "
    "h = h + functional.dropout(torch.softmax(scores, -1), 0.1) @ v"
)
HEADS = "q, k, v = self.mixed(h).view(-1, steps, 3, 2, SIZE // 2).permute(2, 0, 3, 1, 4).unbind(0); "
FUSED = HEADS + "h = h + functional.scaled_dot_product_attention(q, k, v, HOW).transpose(1, 2).reshape(h.shape)"
AHEAD = {
    "a layer": "h = h + self.attend(h, h, h)[0]",
    "an encoder": "h = self.layer(h)",
    "a mask that shows the next step": "h = self.layer(h, torch.full((steps, steps), -math.inf).triu(2))",
    "fused": FUSED.replace(", HOW", ""),
    "fused, its mask turned": FUSED.replace("HOW", "torch.ones(steps, steps, dtype=torch.bool).triu()"),
    "by hand": BY_HAND.replace("HIDE; ", ""),
    "by hand, its mask turned": BY_HAND.replace(
        "HIDE", "scores = scores.masked_fill(torch.ones(steps, steps).tril(-1) == 1, -1e9)"
    ),
    "both directions": "h = self.both(h.transpose(0, 1))[0].transpose(0, 1)",
    "a kernel to both sides": "h = torch.relu(self.kernel(h.transpose(1, 2))).transpose(1, 2)",
}
SOUND = {
    "a layer": PAIR + "h = h + self.attend(h, h, h, attn_mask=mask)[0]",
    "an encoder": "h = self.layer(h, nn.Transformer.generate_square_subsequent_mask(steps), is_causal=True)",
    "fused": FUSED.replace("HOW", "is_causal=True"),
    "fused, with a mask": FUSED.replace("HOW", "torch.ones(steps, steps, dtype=torch.bool).tril()"),
    "by hand": PAIR + BY_HAND.replace("HIDE", "scores = scores.masked_fill(mask, float('-inf'))"),
    "one direction": "h = self.one(h.transpose(0, 1))[0].transpose(0, 1)",
    "its first direction": "h = self.both(h.transpose(0, 1))[0].transpose(0, 1)[..., : SIZE // 2].repeat(1, 1, 2)",
    "a kernel whose end is cut off": "h = torch.relu(self.tail(h.transpose(1, 2)))[..., :-2].transpose(1, 2)",
    "a kernel of which a half is nothing": (
        "self.kernel.weight.data[..., 2] = 0; h = torch.relu(self.kernel(h.transpose(1, 2))).transpose(1, 2)"
    ),
}


def sampled(table):
    """Every second one at once, the others in the long suite."""
    marks = [() if number % 2 == 0 else pytest.mark.long for number in range(len(table))]
    return [pytest.param(each, id=name, marks=mark) for (name, each), mark in zip(table.items(), marks, strict=True)]


def program(middle, step):
    return MODEL.replace("MIDDLE", middle).replace("STEP\n", step + "\n")


@pytest.mark.parametrize("middle", sampled(AHEAD))
def test_a_model_that_is_given_its_targets_one_step_on_is_told(found, middle):
    assert "targets_unshifted" in found(program(middle, SHIFTED))


@pytest.mark.parametrize("middle", sampled(SOUND))
def test_one_that_hides_the_later_steps_is_not(found, middle):
    assert not found(program(middle, SHIFTED))


def test_targets_may_be_shifted_behind_the_model(found):
    assert "targets_unshifted" in found(program(AHEAD["a layer"], IN_LOSS))
    assert not found(program(SOUND["a layer"], IN_LOSS))


def test_words_that_were_hidden_may_be_read_from_both_sides(found):
    hidden = "gone = torch.rand(text.shape) < 0.3; learn(net(text.masked_fill(gone, 0)), text.where(gone, -100))"
    assert not found(program(AHEAD["an encoder"], hidden))


SERIES = """
class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.GRU(1, 8, batch_first=True, bidirectional=BOTH)
        self.out = nn.Linear(WIDTH, 1)
    def forward(self, series):
        return self.out(self.read(series)[0])
net = Next()
opt = torch.optim.Adam(net.parameters(), 0.01)
waves = torch.sin(torch.linspace(0, 6, 24) + torch.rand(64, 1) * 6)[..., None]
for epoch in range(4):
    for wave, in DataLoader(TensorDataset(waves), 16, shuffle=True):
        loss = nn.functional.mse_loss(net(wave[:, :-1]), wave[:, 1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


def test_a_series_that_is_read_in_both_directions_holds_its_next_step(found):
    assert "targets_unshifted" in found(SERIES.replace("BOTH", "True").replace("WIDTH", "16"))
    assert not found(SERIES.replace("BOTH", "False").replace("WIDTH", "8"))
