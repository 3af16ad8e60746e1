// One run: its curves, and while it is running whatever is new.
import {Chart} from './chart.js';
import {ask, forever, renew} from './live.js';

const MOST = 6000; // points of a curve, before it is asked for anew and thinned out
const name = document.querySelector('[data-run]').dataset.run, place = document.getElementById('charts');
const charts = new Map(), labels = {train: 'training', valid: 'validation'};
let mark = '', state = document.getElementById('state').dataset.state;

const address = `/api/runs/${encodeURIComponent(name)}`;
const label = curve => labels[curve.side] ?? curve.figure.replaceAll('_', ' ');
const MINOR = ['samples', 'steps', 'skipped', 'seconds'];
const key = curve => `${curve.by} ${curve.figure}`;
const order = curve => [curve.side ? 0 : 1, curve.figure === 'loss' ? 0 : 1, curve.by === 'step' ? 0 : 1, curve.figure].join();
// What has no side and is known by step, such as the rate, needs no second chart by epoch.
const wanted = (curve, all) => curve.x.length && (curve.by === 'step' || curve.side
  || !(MINOR.includes(curve.figure) || charts.has(`step ${curve.figure}`) || all.some(each => key(each) === `step ${curve.figure}`)));

function show(told) {
  if (told.anew) for (const chart of charts.values()) chart.lines.clear();
  const curves = told.curves.filter(each => wanted(each, told.curves)).sort((a, b) => order(a) < order(b) ? -1 : 1);
  if (!charts.size) place.replaceChildren(...(curves.length ? [] : ['Nothing was recorded yet.']));
  const changed = new Set(told.anew ? charts.values() : []);
  for (const curve of curves) {
    if (!charts.has(key(curve))) charts.set(key(curve), new Chart(place, curve.figure.replaceAll('_', ' '), curve.by,
      async (from, to) => (await ask(`${address}?by=${curve.by}&from=${from.toFixed(3)}&to=${to.toFixed(3)}`)).curves
        .filter(each => key(each) === key(curve)).map(each => ({label: label(each), ...each}))));
    const chart = charts.get(key(curve));
    chart.take(label(curve), curve.side || 'train', curve, told.anew);
    changed.add(chart);
  }
  for (const chart of changed) chart.draw();
}

forever(async () => {
  const told = await ask(`${address}?since=${encodeURIComponent(mark)}`);
  show(told);
  mark = [...charts.values()].some(chart => chart.points > MOST) ? '' : told.mark;
  if (told.state !== state) {
    renew(await ask(location.href));
    state = told.state;
  }
  for (const each of document.querySelectorAll('[data-fact]')) each.textContent = told.words[each.dataset.fact];
  return told.status === 'running' ? 1 : 5;
});
