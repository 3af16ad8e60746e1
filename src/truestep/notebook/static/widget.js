// A run in a notebook: where it is, the figures of its last and best epoch, its curves, what was said.
import {Charts} from './charts.js';
import {make} from './drawing.js';

const asked = new WeakMap(); // which log scales were switched, by model: a view may be made anew

function parent(element) { return element.parentElement ?? element.getRootNode().host; }

export function dark(element) { // by what lies behind it: a notebook has a day and a night of its own
  for (let each = element; each; each = parent(each)) {
    const [red, green, blue, cover = 1] = (getComputedStyle(each).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (blue !== undefined && cover > 0) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  const named = document.body.getAttribute('data-vscode-theme-kind'); // its outputs lie before no colour of their own
  return named ? !named.endsWith('light') : matchMedia('(prefers-color-scheme: dark)').matches;
}

function asking(model) { // curves of a part, from whoever reads the run
  const waiting = new Map();
  const answered = told => { waiting.get(told.number)?.(told.curves); waiting.delete(told.number); };
  model.on('msg:custom', answered);
  const more = (by, from, to) => new Promise(done => {
    const number = `${Date.now()} ${Math.random()}`;
    waiting.set(number, done);
    model.send({number, by, from, to});
  });
  return {more, end: () => model.off('msg:custom', answered)};
}

class Head {
  constructor(root) {
    this.sign = make('i', {'aria-hidden': 'true'});
    this.status = make('span', {class: 'status'}, this.sign);
    this.line = make('b');
    this.words = make('span', {class: 'facts'});
    this.fill = make('i');
    this.bar = make('div', {class: 'bar', role: 'progressbar', 'aria-label': 'progress', 'aria-valuemin': '0', 'aria-valuemax': '100'}, this.fill);
    this.table = make('div', {class: 'table'});
    root.append(make('p', {class: 'head'}, this.status, this.line, this.words), this.bar, this.table);
  }

  show({kind = 'other', sign = '', headline = '', share = null, words = [], heads = [], rows = []}) {
    this.status.setAttribute('class', `status ${kind}`);
    this.sign.textContent = sign;
    this.line.textContent = headline;
    this.words.textContent = words.join(' · ');
    this.bar.setAttribute('class', `bar ${share === null ? 'unknown' : kind}`);
    this.bar.setAttribute('aria-valuenow', Math.round(100 * (share ?? 0)));
    this.fill.setAttribute('style', `width:${(100 * (share ?? 0)).toFixed(2)}%`);
    const line = (kind, cells) => make('tr', {}, ...cells.map(each => make(kind, {}, each)));
    this.table.replaceChildren(...(rows.length ? [make('table', {}, line('th', heads), ...rows.map(each => line('td', each)))] : []));
  }
}

function render({model, el}) {
  if (!asked.has(model)) asked.set(model, new Map());
  const root = make('div', {class: 'truestep-live'}), asks = model.get('finer') ? asking(model) : null;
  const head = new Head(root), place = make('div', {class: 'charts'}), notes = make('ul', {class: 'notes'});
  const charts = new Charts(place, asks?.more, asked.get(model));
  root.append(place, notes);
  el.append(root);
  const tint = () => root.classList.toggle('night', dark(root));
  let waits = false;
  const show = () => {
    waits = false;
    const facts = model.get('facts');
    head.show(facts);
    notes.replaceChildren(...(facts.notes ?? []).map(each => make('li', {}, each)));
    charts.show({anew: true, curves: [...model.get('steps'), ...model.get('epochs')], best: facts.best ?? null});
    tint();
  };
  const soon = () => { if (!waits) { waits = true; queueMicrotask(show); } }; // several traits may have changed at once
  const kinds = ['change:facts', 'change:steps', 'change:epochs'];
  for (const kind of kinds) model.on(kind, soon);
  const tints = new MutationObserver(() => { tint(); setTimeout(tint, 500); }); // a theme's colours come after its name
  for (const each of [document.documentElement, document.body]) tints.observe(each, {attributes: true});
  new ResizeObserver(tint).observe(root); // once it stands in the page
  show();
  return () => {
    for (const kind of kinds) model.off(kind, soon);
    tints.disconnect();
    asks?.end();
  };
}

export default {render};
