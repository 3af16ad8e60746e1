// Keeps a page as its run is: asks again and again, never so often that the answers cost more than a tenth of the time.
const LEAST = 2000, SHARE = 10, said = document.getElementById('said');

export function say(sentence) {
  if (said.textContent !== sentence) said.textContent = sentence;
}

export async function ask(address) {
  const answer = await fetch(address), kind = answer.headers.get('content-type') ?? '';
  if (!answer.ok) throw new Error(kind.includes('json') ? (await answer.json()).error : `The board says ${answer.status}.`);
  return kind.includes('json') ? answer.json() : answer.text();
}

const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
const seen = () => new Promise(done => {
  if (!document.hidden) done();
  else document.addEventListener('visibilitychange', () => done(), {once: true});
});

export async function forever(work) { // `work` says how many times longer than usual one may wait
  for (;;) {
    const began = performance.now();
    let times = 1;
    try {
      times = await work() || 1;
      say('');
    } catch (failure) {
      times = 2;
      say(failure instanceof TypeError ? 'The board does not answer: it was ended, perhaps. This page shows what it last said.'
        : failure.message);
    }
    await pause(Math.max(LEAST * times, SHARE * (performance.now() - began)));
    await seen();
  }
}

// Puts the parts of the page `text` that carry data-live in the place of ours; rows that are the same stay, with their focus.
export function renew(text) {
  const fresh = new DOMParser().parseFromString(text, 'text/html');
  for (const part of fresh.querySelectorAll('[data-live]')) {
    const own = document.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
    if (!own || own.isEqualNode(part)) continue;
    const bodies = [own.querySelector('tbody'), part.querySelector('tbody')];
    const heads = [own.querySelector('thead'), part.querySelector('thead')];
    if (bodies[0] && bodies[1] && heads[0].isEqualNode(heads[1])) {
      rows(...bodies);
      own.querySelector('caption').textContent = part.querySelector('caption').textContent;
    } else own.replaceWith(part);
  }
}

function rows(own, fresh) {
  const known = new Map([...own.rows].map(row => [row.dataset.key, row]));
  const chosen = row => row?.querySelector('input')?.checked;
  const focused = document.activeElement?.closest?.('tr')?.dataset.key, kind = document.activeElement?.tagName;
  const wanted = [...fresh.rows].map(row => {
    const old = known.get(row.dataset.key);
    if (old?.isEqualNode(row)) return old;
    if (chosen(old)) row.querySelector('input').checked = true;
    return row;
  });
  if (wanted.length === own.rows.length && wanted.every((row, n) => row === own.rows[n])) return;
  own.replaceChildren(...wanted);
  if (focused !== undefined) [...own.rows].find(row => row.dataset.key === focused)?.querySelector(kind)?.focus();
}
