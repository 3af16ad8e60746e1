// One run: its curves, and while it is running whatever is new.
import {Charts} from './charts.js';
import {ask, forever, renew} from './live.js';

const MOST = 6000; // points of a curve, before it is asked for anew and thinned out
const name = document.querySelector('[data-run]').dataset.run;
const address = `/api/runs/${encodeURIComponent(name)}`;
const charts = new Charts(document.getElementById('charts'), async (by, from, to) =>
  (await ask(`${address}?by=${by}&from=${from.toFixed(3)}&to=${to.toFixed(3)}`)).curves);
let mark = '', state = document.getElementById('state').dataset.state;

forever(async () => {
  const told = await ask(`${address}?since=${encodeURIComponent(mark)}`);
  charts.show(told);
  mark = charts.points > MOST ? '' : told.mark;
  if (told.state !== state) {
    renew(await ask(location.href));
    state = told.state;
  }
  for (const each of document.querySelectorAll('[data-fact]')) each.textContent = told.words[each.dataset.fact];
  return told.status === 'running' ? 1 : 5;
});
