"""A study as one HTML page that stands alone: figure, learning curves, table; it loads nothing from elsewhere."""

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from truestep.plot.sheet import BASE
from truestep.sweep.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE, _HIGH, _LEFT, _FOOT = 900.0, 320.0, 70.0, 34.0  # the learning curves, in units of their picture
_POINTS = 60_000  # of all curves together, so that a page of thousands of variants still opens at once
_LONG, _FAR = 100.0, 1e6

STYLE = (
    BASE
    + """
.figure{background:#fff;border-radius:4px;max-width:48rem}.figure svg{width:100%;height:auto;display:block}
.curves{width:100%;height:auto;touch-action:pan-y}
.curves polyline{fill:none;stroke-width:1;opacity:.35;vector-effect:non-scaling-stroke}
.curves .train{stroke:var(--train)}.curves .valid{stroke:var(--valid);stroke-dasharray:5 3}
.curves g.on polyline,.curves g:hover polyline{opacity:1;stroke-width:3}
.curves.busy g:not(.on) polyline{opacity:.12}
.curves .axis{stroke:var(--quiet)}.curves text{fill:var(--quiet);font-size:13px}
.said{min-height:3em;margin:.2em 0;color:var(--ink)}
tr.on,tbody tr:hover{outline:2px solid var(--quiet);outline-offset:-2px}
""".rstrip()
)

# A pointer over the picture lights the nearest curve, one over the table the curve of its row.
SCRIPT = """
const picture=document.querySelector('.curves'),said=document.querySelector('.said');
const groups=[...document.querySelectorAll('.curves g[data-i]')],rows=[...document.querySelectorAll('tbody tr')];
let lit=-1;
function light(i){if(i===lit)return;
 for(const all of[groups,rows])for(const each of all)each.classList.toggle('on',+each.dataset.i===i);
 lit=i;picture.classList.toggle('busy',i>=0);
 const own=groups.find(g=>+g.dataset.i===i);
 if(own){own.parentNode.appendChild(own);said.textContent=own.querySelector('title').textContent;}}
const drawn=groups.map(g=>[+g.dataset.i,[...g.querySelectorAll('polyline')].map(p=>[...p.points])]);
if(picture){picture.addEventListener('pointermove',e=>{
 const at=new DOMPoint(e.clientX,e.clientY).matrixTransform(picture.getScreenCTM().inverse());
 let least=900,found=-1;
 for(const[i,lines]of drawn)for(const points of lines)for(const p of points){
  const far=(p.x-at.x)**2/4+(p.y-at.y)**2;if(far<least){least=far;found=i;}}
 if(found>=0)light(found);});}
for(const row of rows)row.addEventListener('pointerenter',()=>light(+row.dataset.i));
""".strip()


def study_page(study: Study, title: str, figure: "Figure | None") -> str:
    """The page as text; what names hold is escaped."""
    drawn = "" if figure is None else f'<div class="figure">{_inline(figure)}</div>'
    curves = _curves(study)
    told = [
        f"{len(study.variants):,} variants of {study.plan.epochs:,} epochs in {study.seconds:.3g} s.",
        *study.notes,
    ]
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>',
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>",
        *(f"<p>{escape(sentence)}</p>" for sentence in told),
        drawn,
        curves,
        f'<h2>Variants</h2>\n<div class="wide">{_table(study)}</div>',
        f"<script>{SCRIPT}</script>" if curves else "",
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _inline(figure: "Figure") -> str:
    """The figure as an element of a page: what stands before `<svg` belongs to a file."""
    from truestep.plot.style import render  # a page without a figure needs no matplotlib

    text = render(figure, "svg", dpi=100).decode()
    return text[text.index("<svg") :]


def _table(study: Study) -> str:
    table = study.table
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("variant", *table.columns))
    rows = [
        f'<tr data-i="{k}"><td>{k}</td>{"".join(f"<td>{escape(_written(row[c]))}</td>" for c in table.columns)}</tr>'
        for k, row in enumerate(table)
    ]
    return f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table>"


def _curves(study: Study) -> str:
    """The losses of every variant by epoch; none where there is a single epoch."""
    if study.plan.epochs < 2:
        return ""
    lines = [_lines(study, k) for k in range(len(study.variants))]
    finite = [value for own in lines for points in own.values() for _, value in points]
    if not finite:
        return ""
    # One curve that explodes must not press the others flat.
    finite.sort()
    low, high = finite[0], min(finite[-1], _FAR * abs(finite[len(finite) // 2]) or finite[-1])
    log = low > 0 and high > _LONG * low
    scale = _Scale(low, high if high > low else low + 1.0, study.plan.epochs, log)
    table = study.table
    groups = [
        f'<g data-i="{k}"><title>{escape(_words(k, table[k]))}</title>{_polylines(own, scale)}</g>'
        for k, own in enumerate(lines)
    ]
    axes = _axes(scale)
    words = "training solid" + (", validation dashed" if any(own.get("valid") for own in lines) else "")
    return (
        f"<h2>Learning curves</h2>\n<p>Loss by epoch, {words}; point at a curve or at a row of the table.</p>\n"
        f'<svg class="curves" viewBox="0 0 {_WIDE:g} {_HIGH:g}" role="img" aria-label="loss of every variant by epoch">'
        f'{axes}<g>{"".join(groups)}</g></svg>\n<p class="said"></p>'
    )


def _lines(study: Study, k: int) -> dict[str, list[tuple[int, float]]]:
    """Side -> (epoch, loss) of one variant, thinned out evenly where there are very many."""
    history = study.history(k)
    every = max(1, math.ceil(2 * len(history) * len(study.variants) / _POINTS))
    found: dict[str, list[tuple[int, float]]] = {}
    for side in ("train", "valid"):
        seen = [(int(r["epoch"]), float(r.get(f"{side}_loss", math.nan))) for r in history]
        finite = [pair for pair in seen if math.isfinite(pair[1])]
        found[side] = [pair for n, pair in enumerate(finite) if n % every == 0 or n == len(finite) - 1]
    return {side: points for side, points in found.items() if len(points) > 1}


class _Scale:
    """From epochs and losses to the picture."""

    def __init__(self, low: float, high: float, epochs: int, log: bool) -> None:
        self.low, self.high, self.epochs, self.log = low, high, epochs, log

    def x(self, epoch: float) -> float:
        return _LEFT + (epoch - 1) / (self.epochs - 1) * (_WIDE - _LEFT - 20)

    def y(self, loss: float) -> float:
        """A loss above the picture is put at its edge."""
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, min(loss, self.high)))
        return 8 + (high - value) / (high - low) * (_HIGH - _FOOT - 8)

    def ticks(self) -> Sequence[float]:
        if not self.log:
            return [self.low + part / 4 * (self.high - self.low) for part in range(5)]
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1, max(1, (last - first) // 5))]


def _polylines(own: dict[str, list[tuple[int, float]]], scale: _Scale) -> str:
    found = []
    for side, points in own.items():
        words = " ".join(f"{scale.x(epoch):.1f},{scale.y(loss):.1f}" for epoch, loss in points)
        found.append(f'<polyline class="{side}" points="{words}"/>')
    return "".join(found)


def _axes(scale: _Scale) -> str:
    bottom = _HIGH - _FOOT
    found = [f'<path class="axis" fill="none" d="M{_LEFT:g} 8V{bottom:g}H{_WIDE - 20:g}"/>']
    for tick in scale.ticks():
        found.append(f'<text x="{_LEFT - 8:g}" y="{scale.y(tick) + 4:.1f}" text-anchor="end">{tick:.3g}</text>')
    for epoch in sorted({1, *(round(1 + part * (scale.epochs - 1) / 4) for part in range(1, 5))}):
        found.append(f'<text x="{scale.x(epoch):.1f}" y="{bottom + 18:g}" text-anchor="middle">{epoch}</text>')
    found.append(f'<text x="{_WIDE / 2:g}" y="{_HIGH - 2:g}" text-anchor="middle">epoch</text>')
    return "".join(found)


def _words(k: int, row: Any) -> str:
    return f"variant {k}: " + ", ".join(f"{name} = {_written(value)}" for name, value in row.items())


def _written(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
