"""Codes chosen for what an encoder gave: with the gradient passed straight through, by whatever way, or not."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

CODES = """
class Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, table):
        return table[torch.cdist(z, table).argmin(1)]
    @staticmethod
    def backward(ctx, slope):
        return slope, None
encoder, decoder = nn.Linear(6, 2), nn.Linear(2, 6)
table = nn.Parameter(torch.randn(8, 2))
opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), table], 0.01)
for step in range(30):
    z = encoder(x)
    code = table[torch.cdist(z, table).argmin(1)]
    near = (z - code.detach()).pow(2).mean() + (code - z.detach()).pow(2).mean()
    opt.zero_grad()
    given = GIVEN
    loss = nn.functional.mse_loss(decoder(given), x) + 0.25 * near
    loss.backward(retain_graph=True)
    MORE
    opt.step()
"""
THROUGH = {
    "detached": ("z + (code - z).detach()", "pass"),
    "a function": ("Through.apply(z, table)", "pass"),
    "a second pass": ("code.detach().requires_grad_()", "z.backward(given.grad)"),
    "another term": ("code.detach()", "decoder(z).sub(x).abs().mean().backward()"),
}
CUT = {"code": "code", "detached": "code.detach()"}


def program(given, more="pass"):
    return CODES.replace("GIVEN", given).replace("MORE", more)


@pytest.mark.parametrize("way", CUT)
def test_an_encoder_that_learns_the_distance_to_its_codes_alone_is_told(found, way):
    assert "gradient_stopped" in found(program(CUT[way]))


@pytest.mark.parametrize("way", THROUGH)
def test_an_encoder_that_hears_of_the_data_by_any_way_is_let_pass(found, way):
    assert "gradient_stopped" not in found(program(*THROUGH[way]))
