"""Two gloo ranks end in the weights of one process, whatever each of them holds."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ranks import scenarios

TESTS = Path(__file__).parents[1]
EXACT = 1e-12


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The figures of rank 0 of two."""
    out = tmp_path_factory.mktemp("ranks") / "found.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "PYTHONPATH": path}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "ranks.scenarios", str(out)],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert all(rank.returncode == 0 for rank in ranks), "\n".join(errors)
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def one():
    """The figures of one process."""
    return scenarios.run_all()


@pytest.mark.parametrize(
    "name", ["unequal_tokens", "mixed_counts", "hand_written", "loader", "unused_parameter", "starts_agree"]
)
def test_two_ranks_end_in_the_weights_of_one_process(one, two, name):
    assert two[name]["weights"] == pytest.approx(one[name]["weights"], rel=EXACT, abs=EXACT)


@pytest.mark.parametrize("name", ["unequal_tokens", "mixed_counts", "hand_written", "loader"])
def test_two_ranks_report_the_figures_of_one_process(one, two, name):
    for alone, together in zip(one[name]["history"], two[name]["history"], strict=True):
        figures = {key: value for key, value in alone.items() if key != "seconds" and value is not None}
        assert {key: together[key] for key in figures} == pytest.approx(figures, rel=EXACT, abs=EXACT)


def test_no_sample_is_lost_or_seen_twice(two):
    assert two["every_sample_once"]["seen"] == [float(number) for number in range(9)]


def test_a_parameter_that_no_rank_uses_stays_without_gradient(one, two):
    assert one["unused_parameter"]["untouched"]
    assert two["unused_parameter"]["untouched"]


def test_repeated_samples_of_a_distributed_sampler_are_said(two):
    assert any("DistributedSampler repeats 1 sample(s)" in note for note in two["own_sampler"]["notes"])
    assert two["own_sampler"]["samples"] == 10


def test_loaders_of_each_ranks_own_share_are_taken_as_they_are(one, two):
    """Undone, each rank would take half of its own share, and half of the data would be lost without a word."""
    assert one["own_loaders"] == {"notes": [], "samples": [12, 12]}
    assert two["own_loaders"]["samples"] == [12, 12]
    assert two["own_loaders"]["notes"] == [
        "each rank's loader gives batches of its own: they are taken as its share of the data."
    ]


def test_a_term_that_couples_samples_is_not_split_over_ranks(one, two):
    assert one["couples"]["error"] == ""
    assert "couples the samples of a batch" in two["couples"]["error"]


def test_batch_normalisation_over_ranks_is_said_to_be_inexact(one, two):
    assert one["batch_normalisation"]["notes"] == []
    assert any("takes its mean and variance from each rank" in note for note in two["batch_normalisation"]["notes"])


def test_a_signal_to_one_rank_ends_all_and_all_go_on_to_the_same_bits(one, two):
    refused = "clip_norm was None and is 1.0"
    assert one["goes_on"] == {"ends": [f"interrupted by SIGTERM after {n} steps" for n in (3, 5)] + [refused],
                              "differences": []}  # fmt: skip
    ends = [[f"interrupted by {who} after {n} steps" for n in (3, 5)] + [refused]
            for who in ("a signal to another rank", "SIGTERM")]  # fmt: skip
    assert two["goes_on"] == {"ends": ends, "differences": [[], []]}
