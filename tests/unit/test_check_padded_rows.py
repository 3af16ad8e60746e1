"""Layers that read steps first, and batches of padded sentences."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

TAGGER = """
texts = [torch.randint(1, 9, (int(n),)) for n in torch.randint(3, 60, (96,))]
table, layer, head = nn.Embedding(9, 8, padding_idx=0), nn.GRU(8, 8, batch_first=INSIDE), nn.Linear(8, 3)
opt = torch.optim.Adam([*table.parameters(), *layer.parameters(), *head.parameters()], 0.01)
for epoch in range(3):
    for rows in torch.randperm(96).split(16):
        taken = sorted((texts[i] for i in rows), key=len, reverse=True)
        words = nn.utils.rnn.pad_sequence(taken, batch_first=FIRST)
        tags = words % 3
        out = head(layer(table(words))[0])
        loss = nn.functional.cross_entropy(out.flatten(0, 1), tags.flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize("first, inside, told", [
    ("True", "False", True), ("True", "True", False), ("False", "False", False),
])  # fmt: skip
def test_rows_that_end_in_padding_are_samples_and_no_steps(found, first, inside, told):
    text = TAGGER.replace("FIRST", first).replace("INSIDE", inside)
    assert ("samples_mixed" in found(text)) == told
