"""Probabilities of every pixel that are laid over its class in ones and zeros."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

MAPS = """
pictures = torch.randn(48, 2, 6, 6)
kinds = (pictures[:, 0] > 0).long() + (pictures[:, 1] > 0).long()
net = nn.Conv2d(2, 3, 3, padding=1)
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(48).split(12):
        scores, sought = net(pictures[rows]), kinds[rows]
        shares = scores.softmax(DIM)
        ones = ONES
        loss = LOSS
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
HOT = "nn.functional.one_hot(sought, 3)"
ONES = {
    "permuted": HOT + ".permute(0, 3, 1, 2).float()",
    "moved": HOT + ".float().movedim(-1, 1)",
    "filled": "torch.zeros(12, 3, 6, 6).scatter_(1, sought.unsqueeze(1), 1.0)",
}
LOSSES = {
    "permuted": "1 - ((2 * (shares * ones).sum((0, 2, 3)) + 1) / ((shares + ones).sum((0, 2, 3)) + 1)).mean()",
    "moved": "nn.functional.mse_loss(shares, ones)",
    "filled": "1 - 2 * (shares * ones).sum() / (shares.sum() + ones.sum())",
}


def program(dim, way):
    return MAPS.replace("DIM", dim).replace("ONES", ONES[way]).replace("LOSS", LOSSES[way])


@pytest.mark.parametrize("way", ONES)
def test_shares_of_the_pictures_are_laid_over_classes(found, way):
    assert "softmax_dim" in found(program("0", way))
    assert "softmax_dim" not in found(program("1", way))


def test_shares_that_several_pictures_have_of_a_pixel_may_be_meant(found):
    """What is laid over them is a mask of pictures, not the classes of a pixel."""
    ones = "(torch.rand(12, 3, 6, 6) > 0.5).float()"
    text = MAPS.replace("DIM", "0").replace("ONES", ones).replace("LOSS", "(1 - (shares * ones).sum(0)).mean()")
    assert "softmax_dim" not in found(text)
