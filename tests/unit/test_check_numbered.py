"""Labels that each part of the data numbers by the classes that it happens to hold."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

TREES = """
rng = np.random.default_rng(3)
kinds = np.array(["ash", "beech", "cedar", "fir", "oak", "pine"])
def grown(count, missing):
    kind = np.array([each for each in range(6) if each != missing])[rng.integers(0, 6 - (missing >= 0), count)]
    return np.eye(6)[kind] * 3 + rng.normal(0, 0.5, (count, 6)), kind
def load(count, missing):
    leaves, kind = grown(count, missing)
    words, codes = kinds[kind].tolist(), (kind * 10 + 3).tolist()
    LABELS
    return torch.tensor(leaves, dtype=torch.float32), labels
inputs, labels = load(300, -1)
asked, wanted = load(120, MISSING)
net = nn.Linear(6, 6)
opt = torch.optim.Adam(net.parameters(), 0.05)
for epoch in range(8):
    for rows in torch.randperm(300).split(50):
        update(inputs[rows], labels[rows])
with torch.no_grad():
    print((net(asked).argmax(1) == wanted).float().mean().item())
"""
LISTED = "classes = sorted(set(words)); labels = torch.tensor([classes.index(word) for word in words])"
MAPPED = (
    "number = {code: n for n, code in enumerate(sorted(set(codes)))}; labels = torch.tensor([number[c] for c in codes])"
)
UNIQUE = "classes, places = np.unique(words, return_inverse=True); labels = torch.from_numpy(places)"
MET = (
    "classes = list(dict.fromkeys(words)); number = {word: n for n, word in enumerate(classes)}; "
    "labels = torch.tensor([number[word] for word in words])"
)
FIRST = (
    "kinds_met, first, back = np.unique(words, return_index=True, return_inverse=True); "
    "rank = np.argsort(np.argsort(first)); labels = torch.from_numpy(rank[back])"
)
TORCHS = "classes, labels = torch.tensor(codes).unique(return_inverse=True)"
SHARED = (
    "number = {word: n for n, word in enumerate(kinds.tolist())}; labels = torch.tensor([number[w] for w in words])"
)


@pytest.mark.parametrize("labels", [LISTED, MAPPED, UNIQUE])
@pytest.mark.parametrize("missing", [1, pytest.param(4, marks=pytest.mark.long)])
def test_a_list_of_the_classes_of_a_part_is_a_mapping_of_its_own(found, labels, missing):
    program = TREES.replace("LABELS", labels)
    assert "labels_off" in found(program.replace("MISSING", str(missing)))
    assert not found(program.replace("MISSING", "-1"))


@pytest.mark.parametrize("labels", [MET, FIRST])
def test_classes_that_each_part_numbers_as_they_come_are_labels_off(found, labels):
    told = found(TREES.replace("LABELS", labels).replace("MISSING", "-1"))
    assert "labels_off" in told
    assert "preprocessing_differs" not in told  # which is about what the model is given


@pytest.mark.parametrize("labels, told", [(TORCHS, True), (SHARED, False)])
def test_two_classes_that_go_by_the_next_number_are_told_by_what_they_are_called(found, labels, told):
    assert ("labels_off" in found(TREES.replace("LABELS", labels).replace("MISSING", "3"))) == told


def test_parts_that_lack_different_classes_are_numbered_apart_too(found):
    program = TREES.replace("LABELS", LISTED).replace("load(300, -1)", "load(300, 0)")
    assert "labels_off" in found(program.replace("MISSING", "3"))


FELLED = """
rng = np.random.default_rng(3)
class Trees(Dataset):
    def __init__(self, rows, names):
        self.leaves, self.words = leaves[rows], [names[kind[row]] for row in rows]
        self.number = {word: place for place, word in enumerate(sorted(set(self.words)))}
    def __len__(self):
        return len(self.words)
    def __getitem__(self, row):
        return self.leaves[row], self.number[self.words[row]]
kind = rng.integers(0, 6, 500)
spread = [torch.exp(-((torch.arange(6.0)[:, None] - torch.randn(1, 1)) ** 2)) for _ in range(500)]
leaves = torch.stack([3 * (torch.arange(6) == each) + one[:, 0] for each, one in zip(kind, spread)])
names = ["ash", "beech", "cedar", "fir", "oak", "pine"]
train = Trees(range(300), names)
test = Trees([row for row in range(300, 500) if kind[row] != MISSING], names)
net = nn.Linear(6, 6)
opt = torch.optim.Adam(net.parameters(), 0.05)
for epoch in range(6):
    for a, b in DataLoader(train, 50, shuffle=True):
        update(a, b)
    with torch.no_grad():
        print(sum((net(a).argmax(1) == b).sum().item() for a, b in DataLoader(test, 100)) / len(test))
"""


@pytest.mark.long
def test_data_made_one_by_one_leaves_room_for_what_scores_compare(found):
    assert "labels_off" in found(FELLED.replace("MISSING", "1"))
    assert not found(FELLED.replace("MISSING", "9"))
