"""What trains in a process of its own is not watched, and the report says so."""

import multiprocessing
import os
import subprocess
import sys

import torch
from torch.utils.data import DataLoader, TensorDataset

import truestep as ts

X, Y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(20, 1)


def train(rank=0):
    torch.set_num_threads(1)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        loss = torch.nn.functional.mse_loss(model(X), Y)
        loss.backward()
        optimizer.step()
    return rank


def _told(report):
    return [words for words in report.blind if "processes" in words]


def test_a_training_in_a_process_of_multiprocessing_is_told_as_unseen():
    with ts.watch() as report:
        process = multiprocessing.get_context("fork").Process(target=train)
        process.start()
        process.join()
    (words,) = _told(report)
    assert "test_check_children.py" in words
    assert "(train)" in words
    assert "no training was seen" in str(report)
    assert report.to_json()["trained"] is False


def test_a_pool_and_a_bare_fork_are_told():
    with ts.watch() as report, multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(train, [7]) == [7]
    assert _told(report)
    with ts.watch() as report:
        number = os.fork()
        if number == 0:
            os._exit(0)
        os.waitpid(number, 0)
    assert "(a fork)" in _told(report)[0]


def test_a_command_of_python_is_told_and_another_command_is_not():
    with ts.watch() as report:
        subprocess.run([sys.executable, "-c", "pass", "train.py"], check=True)
        subprocess.run(["true"], check=True)
        os.system("true")
    assert len(_told(report)) == 1
    assert "python" in _told(report)[0]


def test_workers_of_a_loader_are_no_training_of_their_own():
    with ts.watch() as report:
        for _ in DataLoader(TensorDataset(X, Y), batch_size=10, num_workers=1):
            train()
    assert not _told(report)
    assert "no training was seen" not in str(report)
    assert report.to_json()["trained"] is True
