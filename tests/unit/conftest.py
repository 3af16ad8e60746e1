"""What tests of the command line share."""

import pytest

from truestep.cli.main import main


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder, and an environment, in which the command line finds nothing of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRUESTEP_DATA", "TRUESTEP_RUNS", "WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def run(capsys):
    """Runs a command line; gives its status, stdout and stderr."""

    def start(*words):
        status = main(words)
        out, err = capsys.readouterr()
        return status, out, err

    return start
