// The charts of one run: one a figure, training and validation in it, those that matter most first.
import {Chart} from './chart.js';

const LABELS = {train: 'training', valid: 'validation'}, MINOR = ['samples', 'steps', 'skipped', 'seconds'];
const NAMES = {lr: 'learning rate', grad_norm: 'norm of the gradient'};
const label = curve => LABELS[curve.side] ?? title(curve);
const title = curve => NAMES[curve.figure] ?? curve.figure.replaceAll('_', ' ');
const key = curve => `${curve.by} ${curve.figure}`;
const order = curve => [curve.side ? 0 : 1, curve.figure === 'loss' ? 0 : 1, curve.by === 'step' ? 0 : 1, curve.figure].join();

export class Charts {
  // `more(by, from, to)` promises curves with more points of a part; `asked` holds which log scales were switched.
  constructor(place, more, asked = new Map()) {
    Object.assign(this, {place, more, asked, all: new Map()});
  }

  get points() { return Math.max(0, ...[...this.all.values()].map(chart => chart.points)); }

  // What has no side and is known by step, such as the rate, needs no second chart by epoch.
  wanted(curve, told) {
    return curve.x.length && (curve.by === 'step' || curve.side || !(MINOR.includes(curve.figure)
      || this.all.has(`step ${curve.figure}`) || told.some(each => key(each) === `step ${curve.figure}`)));
  }

  chart(curve) {
    const own = key(curve);
    if (!this.all.has(own)) {
      const chart = new Chart(this.place, title(curve), curve.by, this.more && (async (from, to) =>
        (await this.more(curve.by, from, to)).filter(each => key(each) === own).map(each => ({label: label(each), ...each}))));
      Object.assign(chart, {asked: this.asked.get(own) ?? null, order: order(curve)});
      chart.box.addEventListener('change', () => this.asked.set(own, chart.asked));
      this.all.set(own, chart);
    }
    return this.all.get(own);
  }

  show({anew, curves, best}) { // `best` is the epoch that is
    if (anew) for (const chart of this.all.values()) chart.lines.clear();
    const found = curves.filter(each => this.wanted(each, curves)).sort((a, b) => order(a) < order(b) ? -1 : 1);
    if (!this.all.size) this.place.replaceChildren(...(found.length ? [] : ['Nothing was recorded yet.']));
    const changed = new Set(anew ? this.all.values() : []), before = this.all.size;
    for (const curve of found) {
      const chart = this.chart(curve);
      chart.take(label(curve), curve.side || 'train', curve, anew);
      changed.add(chart);
    }
    if (this.all.size > before) // what was told later may matter more
      this.place.append(...[...this.all.values()].sort((a, b) => a.order < b.order ? -1 : 1).map(chart => chart.figure));
    for (const chart of this.all.values()) if (chart.by === 'epoch' && chart.best !== (best ?? null)) {
      chart.best = best ?? null;
      changed.add(chart);
    }
    for (const chart of changed) chart.draw();
  }
}
