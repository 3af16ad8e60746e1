"""Advice."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "decay_on_bias_a",
        "One weight decay for all parameters pulls the scales of batch norm and the biases towards zero too.",
        at="optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)",
        effect=lambda wrong, right: wrong.scale < right.scale - 0.1,
    ),
    Wrong(
        "decay_on_bias_b",
        "AdamW decays the bias of the output, which has to carry a large mean, and the LayerNorm.",
        at="optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=1.0)",
        effect=lambda wrong, right: wrong.scale < right.scale - 0.1,
    ),
    Wrong(
        "adam_coupled_decay_a",
        ("Adam's weight_decay is added to the gradient and divided away with it; AdamW's decoupled decay was meant."),
        at="optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=0.1)",
        effect=lambda wrong, right: wrong.norm > 1.3 * right.norm or wrong.norm < right.norm / 1.3,
    ),
    Wrong(
        "adam_coupled_decay_b",
        ("Coupled decay in Adam: a weight with large gradients is hardly decayed, one with small gradients fully."),
        at="opt = torch.optim.Adam([w], lr=0.02, weight_decay=0.05)",
        effect=lambda wrong, right: wrong.ratio > 1.5 * right.ratio,
    ),
    Wrong(
        "bias_before_norm_a",
        "The convolution's bias is taken out again by the mean of the batch norm that follows.",
        at="return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU())",
        effect=lambda wrong, right: wrong.idle > 0 and right.idle == 0,
    ),
    Wrong(
        "bias_before_norm_b",
        "Linear layers with a bias straight before BatchNorm1d.",
        at="layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.GELU()]",
        effect=lambda wrong, right: wrong.parameters == right.parameters + 64 and wrong.bias_gradient < 1e-6,
    ),
]
