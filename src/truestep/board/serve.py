"""The board is served: one address on this machine, until somebody ends it."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from truestep.board.app import make_app
from truestep.core.errors import ConfigError

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A socket that listens on this machine only; 0 is any free port. Raises `ConfigError`."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if (
            os.name == "posix"
        ):  # the last board's connections may still be closing; elsewhere it means to share the port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(128)
    except (OSError, OverflowError) as failure:
        found.close()
        reason = getattr(failure, "strerror", None) or failure
        raise ConfigError(
            f"port {port} cannot be had ({reason}): another board may run there; give --port another number, "
            "or 0 for any that is free."
        ) from failure
    return found


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    return f"http://{HOST}:{listening.getsockname()[1]}/"


def make_server(root: Path) -> uvicorn.Server:
    """The server of the runs under `root`: `run(sockets=[...])` answers until `should_exit`."""
    return uvicorn.Server(
        uvicorn.Config(
            make_app(root),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )


def serve(root: Path, port: int, begun: Callable[[str], None]) -> None:
    """Serve the runs under `root` until Ctrl-C; `begun` gets the address. Raises `ConfigError`."""
    with listen(port) as listening:
        begun(address_of(listening))
        make_server(root).run(sockets=[listening])
