"""Runs, and a board that serves them, for the tests of the board."""

import contextlib
import http.client
import json
import math
import threading
import time

from truestep.board.serve import listen, make_server
from truestep.store.rundb import RunDB
from truestep.store.runs import DATABASE

SCRIPT = "<script>alert(1)</script>"


def make_run(root, name="digits", steps=4, epochs=2, end="finished", **config):
    """A run whose losses fall, with one that is not a number; the recorder is open while `end` is empty."""
    folder = root / name
    folder.mkdir(parents=True)
    database = RunDB(folder / DATABASE)
    database.config({"recipe": "lenet5", "epochs": 5, **config})
    database.scalars((step, "train_loss", math.nan if step == 2 else 1 / step) for step in range(1, steps + 1))
    for epoch in range(1, epochs + 1):
        record = {"epoch": epoch, "train_loss": 1 / epoch, "valid_loss": 2 / epoch, "valid_accuracy": 0.5, "lr": None}
        database.epoch(epoch, record)
    database.event("note", f"a note with {SCRIPT}")
    database.flush()
    if end:
        database.status(end)
        database.close()
    return folder, database


class Asked:
    """The answers of a board at `port`."""

    def __init__(self, port):
        self.port = port

    def __call__(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host="host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()

    def page(self, path):
        status, _, text = self(path)
        assert status == 200, text
        return text

    def json(self, path):
        return json.loads(self(path)[2], parse_constant=lambda word: f"{word} is no JSON")


@contextlib.contextmanager
def served(root):
    """A board of the runs under `root`, on a free port, in a thread of this process."""
    with listen(0) as listening:
        server = make_server(root)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.002)
            yield Asked(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
