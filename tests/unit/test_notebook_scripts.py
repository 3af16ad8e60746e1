"""What the widget does in the page: one module that fetches nothing, drawn as it is told, by day and by night."""

import json
import re
import subprocess

import pytest

from truestep.notebook import widget
from unit.script_cases import NODE, run

PAGE = """
const {default: widget} = await import(MODULE);
Element.prototype.getRootNode = () => ({});
const background = new Map(), heard = {}, sent = [], told = {facts: {}, steps: [], epochs: [], finer: FINER};
globalThis.getComputedStyle = element => ({backgroundColor: background.get(element) ?? 'rgba(0, 0, 0, 0)'});
globalThis.matchMedia = () => ({matches: false});
document.documentElement = document.body = new Element('body');
const model = {
  get: name => told[name], send: content => sent.push(content),
  on: (kind, what) => { (heard[kind] ??= new Set()).add(what); }, off: (kind, what) => heard[kind].delete(what),
};
const tell = async more => {
  Object.assign(told, more);
  for (const name of Object.keys(more)) for (const what of heard[`change:${name}`]) what();
  await pause();
};
const el = new Element('div'), leave = widget.render({model, el}), root = el.children[0];
root.parentElement = el;
const loss = (side, y, by = 'epoch') =>
  ({name: `${side}_loss`, by, figure: 'loss', side, x: y.map((_, n) => n + 1), y, trend: null});
const words = each => each instanceof Element
  ? [each.textContent ?? '', ...each.children].map(words).filter(Boolean).join('|') : each;
const facts = {kind: 'running', sign: '●', headline: 'epoch 3 of 4', share: 0.6, words: ['2 s', 'fast'], best: 2,
  heads: ['', 'valid loss'], rows: [['epoch 3', '0.3'], ['epoch 2 ★', '0.2']], notes: ['<b>a note</b>']};
"""


@pytest.fixture
def page(tmp_path):
    """What a program returns in a page with a widget."""
    module = tmp_path / "widget.mjs"
    module.write_text(widget.script(), encoding="utf-8")

    def asked(program, finer=False):
        return run(PAGE.replace("MODULE", json.dumps(module.as_uri())).replace("FINER", json.dumps(finer)) + program)

    return asked


def test_the_widget_is_one_module_that_names_no_other_and_fetches_nothing():
    text = widget.script()
    subprocess.run([str(NODE), "--check", "--input-type=module"], input=text, text=True, check=True)
    assert not re.search(r"\bimport\b|\bfetch\(|https?://(?!www\.w3\.org/2000/svg)", text)
    assert re.findall(r"^export .*", text, re.MULTILINE) == ["export default {render};"]
    assert not re.search(r"@import|url\(", widget.style())


def test_the_head_says_where_the_run_is_and_no_text_becomes_an_element(page):
    found = page("""
      const empty = words(root.all('head')[0]);
      await tell({facts});
      const bar = root.all('bar')[0];
      return [empty, words(root.all('head')[0]), bar.attributes.class, bar.attributes['aria-valuenow'],
        bar.children[0].attributes.style, words(root.all('table')[0]), words(root.all('notes')[0])];""")
    assert found[0] == ""
    assert found[1] == "●|epoch 3 of 4|2 s · fast"
    assert found[2:5] == ["bar running", "60", "width:60.00%"]
    assert found[5] == "valid loss|epoch 3|0.3|epoch 2 ★|0.2"
    assert found[6] == "<b>a note</b>"


def test_a_run_of_unknown_length_has_no_bar(page):
    assert page("await tell({facts: {...facts, share: null}}); return root.all('bar')[0].attributes.class;") == (
        "bar unknown"
    )


def test_curves_are_drawn_as_they_are_told_the_loss_first_and_the_best_epoch_has_a_star(page):
    found = page("""
      await tell({steps: [
        {name: 'grad_norm', by: 'step', figure: 'grad_norm', side: '', x: [1, 2], y: [1, 2], trend: null},
        loss('train', [3, 2, 1], 'step')]});
      await tell({facts, epochs: [loss('valid', [3, 1, 2]), loss('train', [3, 2, 1])]});
      const titles = () => root.all('chart').map(each => words(each.children[0]).split('|').slice(0, 2).join(''));
      const drawn = () => root.all('line').filter(each => each.name === 'path' && !each.attributes.d.endsWith('H23'));
      const stars = () => root.all('star').length;
      const first = [titles(), drawn().length, stars()];
      await tell({facts: {...facts, best: 3}});
      const moved = root.all('star')[0].attributes.x;
      await tell({facts: {...facts, best: null}});
      return [first, moved, stars()];""")
    titles, drawn, stars = found[0]
    assert titles == ["loss by step", "loss by epoch", "norm of the gradient by step"]
    assert (drawn, stars) == (4, 1)
    assert found[1] == "588.0"  # the last epoch, at the right edge
    assert found[2] == 0


def test_what_is_told_at_once_is_drawn_once(page):
    assert (
        page("""
      let draws = 0;
      await tell({facts, epochs: [loss('valid', [3, 1, 2])]});
      const svg = root.all('chart')[0].children[1], replace = svg.replaceChildren.bind(svg);
      svg.replaceChildren = (...all) => { draws++; replace(...all); };
      Object.assign(told, {facts: {...facts}});
      for (const name of ['facts', 'steps', 'epochs']) for (const what of heard[`change:${name}`]) what();
      await pause();
      return draws;""")
        == 1
    )


def test_a_log_scale_stays_switched_in_a_view_that_is_made_anew(page):
    assert page("""
      await tell({epochs: [loss('valid', [3, 1, 2])]});
      const box = root.all('log')[0].children[0];
      box.checked = true;
      box.heard.change();
      const other = new Element('div');
      widget.render({model, el: other});
      return [root, other.children[0]].map(each => each.all('log')[0].children[0].checked);""") == [True, True]


def test_night_is_where_the_notebook_is_dark_and_not_where_the_machine_is(page):
    assert page("""
      globalThis.matchMedia = () => ({matches: true});
      const seen = [];
      for (const colour of ['rgb(17, 17, 17)', 'rgb(255, 255, 255)', 'rgba(255, 255, 255, 0)']) {
        background.set(el, colour);
        await tell({facts});
        seen.push(root.night);
      }
      for (const kind of ['vscode-light', 'vscode-high-contrast-light', 'vscode-high-contrast']) {
        document.body.setAttribute('data-vscode-theme-kind', kind);
        await tell({facts});
        seen.push(root.night);
      }
      return seen;""") == [True, False, True, False, False, True]


def test_a_part_is_asked_for_where_somebody_can_answer(page):
    asked, drawn = page(
        """
      await tell({steps: [loss('train', Array.from({length: 100}, (_, n) => n + 1), 'step')]});
      const chart = root.all('chart')[0].children[1];
      for (const name of ['Home', '+']) chart.heard.keydown({key: name, preventDefault() {}});
      const [{number, by, from, to}] = sent;
      for (const what of heard['msg:custom']) {
        what({number: 'of another view', curves: []});
        what({number, curves: [{...loss('train', [1, 99, 3], 'step'), x: [1, 20, 50]}]});
      }
      await pause();
      return [[by, Math.round(from), Math.round(to)], chart.attributes['aria-label'].includes('most 99')];""",
        finer=True,
    )
    assert asked == ["step", 1, 51]
    assert drawn


@pytest.mark.parametrize("finer", [True, False])
def test_a_view_that_is_gone_listens_no_more(page, finer):
    assert page("leave(); return Object.values(heard).map(each => each.size);", finer) == [0] * (3 + finer)
