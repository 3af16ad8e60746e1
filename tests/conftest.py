"""What holds for every test: one thread, one seed, no screen, and two strengths of property testing."""

import gc
import os
import signal
from collections.abc import Callable, Iterator

# Set before torch is imported, and inherited by every process that a test starts. One thread: sums come out in one
# order, so that laws about equal bits do not hang on the machine, and the small tensors of tests are faster for it.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import hypothesis
import pytest
import torch

LONG = os.environ.get("TRUESTEP_LONG") == "1"

# A shell that starts the suite in the background has it ignore Ctrl-C, which tests of signals send to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)

torch.set_num_threads(1)


class _TorchRandom:
    """Torch's global generator, as Hypothesis wants it: each example starts from the same state and can be replayed."""

    seed = staticmethod(torch.default_generator.manual_seed)  # torch.manual_seed notes a traceback each time
    getstate = staticmethod(torch.get_rng_state)
    setstate = staticmethod(torch.set_rng_state)


_torch_random = _TorchRandom()  # held here, since Hypothesis keeps only a weak reference
hypothesis.register_random(_torch_random)

# No deadline in either: timings never decide a test. The quick one draws the same examples every time.
hypothesis.settings.register_profile("default", max_examples=30, derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("long", max_examples=1000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("long" if LONG else "default")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: many tests wait for a process of their own."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests that take minutes to `make test-long`, and of those of the check all but two cases each."""
    for item in [] if LONG else [*filter(_long, items), *_between(items)]:
        item.add_marker(pytest.mark.skip(reason="takes minutes: make test-long runs it"))


def _long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


def _between(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """The cases of tests of the check between the first and the last: each of them is a training that is watched."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.name.startswith("test_check") and hasattr(item, "callspec"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for several in cases.values():
        yield from several[1:-1]


def pytest_collection_finish() -> None:
    """Take what the imports left out of the garbage collection, which would go through all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start every test from one seed, so that it passes or fails alone as it does in the suite."""
    torch.manual_seed(0)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, str, str, str], None]:
    """Takes a line of the table of faults (claim, method, counts, result), which the end of the suite prints."""
    return lambda *cells: record_property("figure", f"| {' | '.join(cells)} |")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the fault tests measured, as `docs/how-it-is-tested.md` keeps it."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [value for report in reports for name, value in report.user_properties if name == "figure"]
    if lines:
        terminalreporter.section("figures of the fault tests")
        terminalreporter.write_line("| claim | method | counts | result |\n|---|---|---|---|")
    for line in sorted(map(str, lines)):
        terminalreporter.write_line(line)
