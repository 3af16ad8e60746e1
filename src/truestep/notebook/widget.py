"""The live picture of a run as a widget: the board's charts in one script, with what a notebook needs around them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from truestep.notebook.sheets import run_section
from truestep.notebook.state import State, text
from truestep.plot.sheet import DAY, NIGHT

HERE = Path(__file__).parent / "static"
BOARD = Path(__file__).parents[1] / "board" / "static"
SCRIPTS = (BOARD / "drawing.js", BOARD / "chart.js", BOARD / "charts.js", HERE / "widget.js")

Part = Callable[[str, float, float], list[dict[str, Any]]]


def script() -> str:
    """Our modules as one, since a widget is a single module and fetches nothing."""
    whole = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    whole = re.sub(r"^import \{[^}]*\} from '\./[a-z]+\.js';\n", "", whole, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", whole, flags=re.MULTILINE)


def style() -> str:
    """The style of the board's parts inside our element alone."""
    own, parts = (
        (folder / name).read_text(encoding="utf-8") for folder, name in ((HERE, "widget.css"), (BOARD, "parts.css"))
    )
    return f".truestep-live{{{DAY}}}\n.truestep-live.night{{{NIGHT}}}\n.truestep-live{{\n{parts}}}\n{own}"


class Widget(anywidget.AnyWidget):
    """A run in a notebook; `steps` and `epochs` are its curves by these, `facts` all that is said beside them."""

    _esm = script()
    _css = style()
    facts = traitlets.Dict().tag(sync=True)
    steps = traitlets.List().tag(sync=True)
    epochs = traitlets.List().tag(sync=True)
    finer = traitlets.Bool(False).tag(sync=True)  # whether a part of the curves can be asked for

    def __init__(self, part: Part | None = None) -> None:
        super().__init__(finer=part is not None)
        self.state = State()
        self._part = part
        self.on_msg(self._answer)

    def _answer(self, _: Any, asked: Any, buffers: Any) -> None:
        if self._part is None or not isinstance(asked, dict) or "number" not in asked:
            return
        try:
            curves = self._part(str(asked["by"]), float(asked["from"]), float(asked["to"]))
        except Exception:  # noqa: BLE001 - the run is gone, perhaps: the page draws the points that it has
            curves = []
        self.send({"number": asked["number"], "curves": curves})

    def bundle(self, lasting: bool = True) -> dict[str, Any]:
        """What a notebook stores of it; `lasting`: with the HTML for pages that have no widgets, as it is now."""
        data: dict[str, Any] = {"text/plain": text(self.state)}
        if lasting:
            losses = {side: _values(self.epochs, side) for side in ("train", "valid")}
            data["text/html"] = run_section(self.state, losses)
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        return data | {"application/vnd.jupyter.widget-view+json": view}

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.bundle(), {}

    def __repr__(self) -> str:
        return text(self.state)


def _values(curves: list[dict[str, Any]], side: str) -> list[Any]:
    return next((curve["y"] for curve in curves if curve["name"] == f"{side}_loss"), [])
