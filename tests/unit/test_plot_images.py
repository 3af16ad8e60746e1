"""A grid of images shows every image as it is, and a wrong prediction to every eye."""

import numpy as np
import pytest
import torch

from truestep import plot
from truestep.core.errors import ConfigError, DataError, ShapeError


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 1, 8, 8), (5, 3, 8, 9), (5, 8, 9, 3), (5, 8, 8, 1)])
def test_images_of_every_usual_shape_are_drawn_as_they_are(shape):
    images = torch.rand(shape)
    figure = plot.image_grid(images, torch.arange(5), columns=3)
    assert len(figure.axes) == 5
    shown = figure.axes[4].images[0].get_array()
    wanted = images[4].permute(1, 2, 0) if shape[1] == 3 else images[4].squeeze(0).squeeze(-1)
    assert shown.shape == wanted.shape
    low, high = images.min(), images.max()
    np.testing.assert_allclose(
        shown, (wanted - low) / (high - low) if wanted.ndim == 3 else wanted, rtol=1e-5, atol=1e-6
    )


def test_a_wrong_prediction_differs_in_words_and_frame_and_not_in_colour_alone():
    figure = plot.image_grid(np.zeros((2, 8, 8)), torch.tensor([3, 4]), torch.tensor([3, 9]))
    right, wrong = figure.axes
    assert (right.get_xlabel(), wrong.get_xlabel()) == ("3", "✗ 9\nis 4")
    assert wrong.spines["left"].get_linewidth() > 2 * right.spines["left"].get_linewidth()
    assert wrong.spines["left"].get_edgecolor() != right.spines["left"].get_edgecolor()


def test_all_images_share_one_scale():
    figure = plot.image_grid(torch.stack([torch.zeros(4, 4), torch.full((4, 4), 16.0)]), [0, 1])
    assert {axes.images[0].get_clim() for axes in figure.axes} == {(0.0, 16.0)}


@pytest.mark.parametrize(
    "images, labels, predicted, columns, error, sentence",
    [
        (
            torch.rand(3, 8, 8),
            [1, 2],
            None,
            8,
            ShapeError,
            "every image needs one label, .*: there are 3 images, 2 labels$",
        ),
        (torch.rand(2, 8, 8), [1, 2], [1], 8, ShapeError, "2 images, 2 labels, 1 predictions$"),
        (
            torch.rand(2, 64),
            [1, 2],
            None,
            8,
            ShapeError,
            r"images of shape \(2, 64\) cannot be shown: use \(n, height, width\)",
        ),
        (torch.rand(2, 2, 8, 8), [1, 2], None, 8, ShapeError, r"images of shape \(2, 2, 8, 8\) cannot be shown"),
        (torch.rand(0, 8, 8), [], None, 8, DataError, r"there is no image to show: the shape is \(0, 8, 8\)"),
        (
            torch.rand(401, 2, 2),
            [0] * 401,
            None,
            8,
            ConfigError,
            r"401 images are too many .* show at most 400, as in images\[:400\]",
        ),
        (torch.rand(1, 2, 2), [0], None, 0, ConfigError, "columns=0 leaves no room for an image: use 1 or more"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(images, labels, predicted, columns, error, sentence):
    with pytest.raises(error, match=sentence):
        plot.image_grid(images, labels, predicted, columns)
