"""Practice that is unusual and right, beside what it looks like."""

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

HEAD_ALONE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU())
        self.head = nn.Linear(12, 2)
    def forward(self, given):
        return self.head(self.body(given))
net = Net()
opt = torch.optim.Adam(net.parameters(), 0.01)
epochs(DataLoader(TensorDataset(x, y), 16, shuffle=True), 2)
for p in net.body.parameters():
    p.requires_grad = FROZEN
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 0.01)
other = nn.Linear(12, 2)
net.head = other
opt = torch.optim.Adam(PART.parameters(), 0.01)
net.eval()
epochs(DataLoader(TensorDataset(x, 1 - y), 16, shuffle=True), 2)
"""


def test_a_head_may_be_trained_in_eval_mode_where_its_batch_normalisation_never_learned(found):
    fresh = HEAD_ALONE.replace("epochs(DataLoader(TensorDataset(x, y), 16, shuffle=True), 2)\n", "")
    assert found(fresh.replace("FROZEN", "False").replace("PART", "net.head")) == set()
    assert found(HEAD_ALONE.replace("FROZEN", "True").replace("PART", "net")) == {"train_in_eval"}


FOLDS = """
import copy
y = x[:, :1].sin()
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
start = copy.deepcopy(net.state_dict())
for fold in range(3):
    held = torch.arange(96) % 3 == fold
    opt = torch.optim.Adam(net.parameters(), 0.01)
    AGAIN
    net.train()
    for epoch in range(4):
        for rows in torch.randperm(64).split(16):
            loss = nn.functional.mse_loss(net(x[~held][rows]), y[~held][rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        print(fold, nn.functional.mse_loss(net(x[held]), y[held]).item())
"""


def test_a_fold_may_load_its_first_weights_behind_its_optimizer(found):
    assert found(FOLDS.replace("AGAIN", "pass")) == {"tested_on_train"}
    assert found(FOLDS.replace("AGAIN", "net.load_state_dict(start)")) == set()


TURNS = """
class Vane(Dataset):
    def __init__(self):
        rng = np.random.default_rng(0)
        codes = (rng.normal(0, 9, 400).cumsum() % 256).astype(np.uint8)
        step = codes[1:] - codes[:-1]
        self.step = READ
    def __len__(self):
        return 300
    def __getitem__(self, i):
        return torch.from_numpy(self.step[i:i + 6]), int(self.step[i + 6] > 0)
epochs(DataLoader(Vane(), 30, shuffle=True), 2)
"""


def test_a_difference_of_bytes_that_is_read_with_a_sign_may_wrap(found):
    assert found(TURNS.replace("READ", "step.view(np.int8).astype(np.float32) / 9")) == set()
    assert found(TURNS.replace("READ", "step.astype(np.float32) / 9")) == {"integer_wrap"}


SPARSE = """
class Sparse(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 24), nn.Linear(24, 6, bias=False)
        self.enc.weight.data.copy_(self.dec.weight.data.t())
    def forward(self, given):
        return self.dec(torch.relu(self.enc(given)))
net = Sparse()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(96).split(16):
        loss = nn.functional.mse_loss(net(x[rows]), x[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


def test_an_encoder_may_begin_as_the_turned_decoder(found):
    assert found(SPARSE) == set()
