"""Further mistakes of gradients and updates, which the rules did not name when they were written."""

from corpus.entry import Wrong

WRONG = [
    Wrong(
        "optimizer_frozen_fu1",
        "Freezing what begins with emb, the loaded word vectors, also freezes the embedding_mixer at its random start.",
        at='weight.requires_grad_(not name.startswith("emb"))',
        effect=lambda wrong, right: wrong.moved == 0 and wrong.loss > right.loss + 0.2,
    ),
    Wrong(
        "gradient_stopped_fu1",
        "The code is drawn with sample(), so the encoder hears of nothing but the divergence from the prior.",
        at="guess = decoder(code.sample())",
        effect=lambda wrong, right: wrong.error > 2 * right.error,
    ),
    Wrong(
        "gradient_stopped_fu2",
        "A penalty is computed in numpy and added as a new tensor.",
        at="return torch.as_tensor(",
        effect=lambda wrong, right: wrong.apart > 2 * right.apart,
    ),
    Wrong(
        "weights_not_loaded_fu1",
        "The learner trains a copy of the network that it is given, and the network itself is tested.",
        at="self.network = deepcopy(network)",
        effect=lambda wrong, right: wrong.error > 4 * right.error,
    ),
    Wrong(
        "update_rebound_fu1",
        "A function returns the new weights of a dict, and nobody takes them.",
        at="descend(weights, slopes)",
        effect=lambda wrong, right: wrong.error > 5 * right.error,
    ),
    Wrong(
        "update_rebound_fu2",
        "The weights of a dict are trained, and the net is scored with its own.",
        at="return (net(x[200:])",
        effect=lambda wrong, right: wrong.accuracy < right.accuracy - 0.2,
    ),
    Wrong(
        "changed_in_place_fu1",
        "The jitter is added to the curves of a plain list, which wander off.",
        at="return curve.add_(",
        effect=lambda wrong, right: wrong.drift > 10 and right.drift == 0,
    ),
    Wrong(
        "samples_unseen_fu1",
        "Windows of four of ten batches: the last two, a kind of their own, are in none.",
        at="for start in range(0, len(inputs) - window + 1, window)",
        effect=lambda wrong, right: wrong.error > 3 * right.error,
    ),
    Wrong(
        "gradient_stopped_m1",
        "The distance of the guessed class is added to the loss, and argmax has no gradient.",
        at="return scores.argmax(dim=1).float()",
        effect=lambda wrong, right: wrong.miss > right.miss + 0.15,
    ),
    Wrong(
        "gradient_stopped_mb1",
        "The codes are handed on as they are, not straight through: the encoder never hears of the spectra's error.",
        at="return code, distance",
        effect=lambda wrong, right: wrong.error > 2 * right.error,
    ),
    Wrong(
        "target_is_same_mb1",
        "Nobody calls follow(): the values are learned towards what the random start of the network says.",
        at="self.lagging.load_state_dict(",
        effect=lambda wrong, right: wrong.off > 2 * right.off,
    ),
    Wrong(
        "update_undone_mb1",
        "The running means change places with the weights for each test, and nobody calls leave() after it.",
        at="smoothed.enter()",
        effect=lambda wrong, right: wrong.test > 2 * right.test,
    ),
]
