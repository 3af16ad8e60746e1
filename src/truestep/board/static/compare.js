// Several runs: one chart a figure, one line a run.
import {Chart} from './chart.js';
import {ask, forever, renew} from './live.js';

const MOST = 6000;
const names = [...document.querySelectorAll('#compared li')].map(each => each.dataset.run);
const place = document.getElementById('charts'), charts = new Map(), marks = new Map(), states = new Map();
const address = name => `/api/runs/${encodeURIComponent(name)}`;
const MINOR = ['samples', 'steps', 'skipped', 'seconds'];
// What has no side and is known by step, such as the rate, needs no second chart by epoch.
const wanted = (curve, all) => curve.x.length && (curve.by === 'step' || curve.side || !(MINOR.includes(curve.name)
  || charts.has(`step ${curve.name}`) || all.some(each => each.by === 'step' && each.name === curve.name)));
const order = key => [/ (train|valid)_/.test(key) ? 0 : 1, key.includes('_loss') ? 0 : 1, key].join();

function show(told, look) {
  for (const curve of told.curves.filter(each => wanted(each, told.curves))) {
    const key = `${curve.by} ${curve.name}`;
    if (!charts.has(key)) {
      if (!charts.size) place.replaceChildren();
      charts.set(key, new Chart(place, curve.name.replaceAll('_', ' '), curve.by,
        async (from, to) => (await Promise.all(names.map(name => ask(`${address(name)}?by=${curve.by}&from=${from.toFixed(3)}&to=${to.toFixed(3)}`))))
          .flatMap(each => each.curves.filter(own => own.name === curve.name).map(own => ({label: each.name, ...own})))));
      const sorted = [...charts.keys()].sort((a, b) => order(a) < order(b) ? -1 : 1);
      place.append(...sorted.map(each => charts.get(each).figure));
    }
    charts.get(key).take(told.name, look, curve, told.anew);
  }
}

async function follow(name, n) { // says whether something beside the curves changed, and whether it is running
  const told = await ask(`${address(name)}?since=${encodeURIComponent(marks.get(name) ?? '')}`);
  show(told, `c${n % 8}${n >= 8 ? ' dashed' : ''}`);
  if (told.curves.length) for (const chart of charts.values()) chart.draw();
  marks.set(name, [...charts.values()].some(chart => chart.points > MOST) ? '' : told.mark);
  const changed = (states.get(name) ?? told.state) !== told.state;
  states.set(name, told.state);
  return {changed, running: told.status === 'running'};
}

forever(async () => {
  const all = await Promise.allSettled(names.map(follow)); // each is drawn as soon as it is there
  if (!charts.size) place.replaceChildren('Nothing was recorded yet.');
  if (all.some(each => each.value?.changed)) renew(await ask(location.href));
  const failed = all.find(each => each.reason);
  if (failed) throw failed.reason;
  return all.some(each => each.value.running) ? 1 : 5;
});
