"""The board as an application: its addresses, and what keeps strangers out."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from truestep.board import pages
from truestep.board.facts import list_facts, part_facts, run_facts
from truestep.board.follow import Following
from truestep.board.parts import message
from truestep.board.shelf import ODD, PAGE, Library, inside
from truestep.core.errors import DataError, TruestepError
from truestep.plot.sheet import BASE
from truestep.store.export import TEXTS, run_text
from truestep.store.rundb import RunRecord, read_run
from truestep.store.runs import DATABASE

HOSTS = {"127.0.0.1", "localhost"}  # any port: it may be forwarded from another machine
STATIC = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
OWN = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'"
# The page of a study has its style and script inside: it runs them as a stranger, who can fetch nothing from here.
APART = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
HEADERS = {
    "content-security-policy": f"{OWN}; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """Answers only who asked for this machine by its own name, and puts the headers of `HEADERS` on every answer.

    A page of a stranger may point its own name at 127.0.0.1 and read what it finds there, but its name stays in Host.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        app = self.app
        if len(hosts) != 1 or re.sub(r":\d*$", "", hosts[0].lower()) not in HOSTS:
            app = PlainTextResponse("the board answers only to 127.0.0.1 and localhost.\n", 403)

        async def dressed(sent: Message) -> None:
            if sent["type"] == "http.response.start":
                own = {name for name, _ in sent["headers"]}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                sent["headers"] = [*sent["headers"], *(pair for pair in more if pair[0] not in own)]
            await send(sent)

        await app(scope, receive, dressed)


def html(text: str, status: int = 200) -> Response:
    """A page; the name of a folder may hold what is no text, and is shown in signs that stand for it."""
    return Response(text.encode("utf-8", "backslashreplace"), status, media_type="text/html; charset=utf-8")


def as_json(found: Any, status: int = 200) -> Response:
    """Strict JSON, in ASCII."""
    return Response(json.dumps(found, allow_nan=False), status, media_type="application/json")


class Board:
    """The answers; all but the files come from the folder as it is now."""

    def __init__(self, root: Path) -> None:
        self.library, self.following = Library(root), Following()

    def front(self, request: Request) -> Response:
        """The page of all runs."""
        every = request.query_params.get("all") == "1"
        return html(pages.list_page(self.library.shelf(), self.library.root, every))

    def run(self, request: Request) -> Response:
        """The page of one run."""
        return html(pages.run_page(*self._read(request.path_params["name"])))

    def compare(self, request: Request) -> Response:
        """The page of several runs."""
        found: dict[str, tuple[Path, RunRecord]] = {}
        said: list[str] = []
        for name in self._chosen(request.query_params.getlist("runs")):
            try:
                found[name] = self._read(name)
            except DataError as failure:
                said.append(f"{failure}.")
        if len(found) > pages.COMPARED:
            said.append(f"{len(found)} runs were chosen; the first {pages.COMPARED} are shown.")
        if not found and not said:
            said.append("No run was chosen: mark some in the list.")
        return html(pages.compare_page(list(found.values())[: pages.COMPARED], said))

    def api_front(self, request: Request) -> Response:
        """All runs and studies as JSON."""
        shelf = self.library.shelf()
        studies = [{"name": each.name, "variants": each.variants, "page": each.page} for each in shelf.studies]
        return as_json({"runs": [list_facts(book) for book in shelf.runs], "studies": studies, "left_out": shelf.said})

    def api_run(self, request: Request) -> Response:
        """One run as JSON: all from the mark `since` on, or the curves `by` step or epoch `from` one `to` another."""
        folder = self.library.run(request.path_params["name"])
        followed, asked = self.following.of(folder.name), request.query_params
        if "by" in asked:
            first, last = (_finite(asked.get(name, "")) for name in ("from", "to"))
            return as_json(part_facts(folder, followed, asked["by"], first, last))
        return as_json(run_facts(folder, followed, asked.get("since", "")))

    def download(self, request: Request) -> Response:
        """A run as a file of `store.export`."""
        folder, file = self.library.run(request.path_params["name"]), request.path_params["file"]
        if file not in TEXTS:
            raise DataError(f"there is no file {file}: there are {', '.join(TEXTS)}")
        kind = "application/json" if file.endswith("json") else "text/csv"
        # Not every name can stand in a header; the page's own link says how the file is called.
        return StreamingResponse(run_text(folder, file), media_type=f"{kind}; charset=utf-8")

    def study(self, request: Request) -> Response:
        """The page that a study left in its folder."""
        study = self.library.study(request.path_params["name"])
        file = inside(study.folder, PAGE)
        if file is None:
            raise DataError(f"the study {study.name} has no page yet: it is saved when the study ends")
        return Response(file.read_bytes(), media_type="text/html", headers={"content-security-policy": APART})

    def _read(self, name: str) -> tuple[Path, RunRecord]:
        folder = self.library.run(name)
        return folder, read_run(folder / DATABASE)

    def _chosen(self, words: list[str]) -> list[str]:
        """The names, once each; `a,b` are two, unless a run is called so."""
        known = {book.info.name for book in self.library.shelf().runs}
        parts = [part for word in words for part in ([word] if word in known else word.split(","))]
        return list(dict.fromkeys(part for part in parts if part))


def static(request: Request) -> Response:
    """A style, a script or a picture of the board itself."""
    name = request.path_params["name"]
    if name == "page.css":
        return Response(BASE, media_type="text/css")
    file = {each.name: each for each in (Path(__file__).parent / "static").iterdir()}.get(name)
    if file is None or file.suffix not in STATIC:
        raise DataError(f"there is no file {name}")
    return Response(file.read_bytes(), media_type=STATIC[file.suffix])


def _finite(text: str) -> float:
    found = float(text) if re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text, re.ASCII) else math.nan
    if not math.isfinite(found):
        raise DataError(f"from and to are numbers in plain digits, and not {text!r}")
    return found


def failed(request: Request, failure: Exception) -> Response:
    """One sentence instead of a traceback, in the form that was asked for."""
    odd = isinstance(failure, ODD) and not isinstance(failure, TruestepError)
    sentence = f"What is recorded here cannot be shown ({type(failure).__name__}: {failure})." if odd else f"{failure}."
    if request.url.path.startswith("/api/"):
        return as_json({"error": sentence}, 404)
    return html(message("This cannot be shown", sentence), 404)


def make_app(root: Path) -> ASGIApp:
    """The board of the runs under `root`."""
    board = Board(root)
    answers: dict[str, Callable[[Request], Any]] = {
        "/": board.front,
        "/runs/{name}": board.run,
        "/runs/{name}/{file}": board.download,
        "/studies/{name}": board.study,
        "/compare": board.compare,
        "/api/runs": board.api_front,
        "/api/runs/{name}": board.api_run,
        "/static/{name}": static,
    }
    routes = [Route(path, answer, methods=["GET"]) for path, answer in answers.items()]
    missing = DataError("there is nothing at this address: the list of runs is at /")
    handlers = dict.fromkeys((TruestepError, OSError, *ODD), failed) | {
        404: lambda request, _: failed(request, missing)
    }
    return Guard(Starlette(routes=routes, exception_handlers=handlers))
