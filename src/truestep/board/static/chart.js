// One chart: the curves of one figure as SVG; a log scale on request, the values under the pointer or the cursor keys, and
// a part of it drawn larger, with more points from the board, where one drags over it or presses + and -.
import {make, nearest, round, ticks, words} from './drawing.js';

const HIGH = 220, LEFT = 58, RIGHT = 12, TOP = 8, FOOT = 30, FLOOR = HIGH - FOOT, DECADES = 100, DRAGGED = 8;

export class Chart {
  // A line is {label, look, x, y, trend}: `look` is the class of its colour and dashes, `y` has null where there is no
  // number, and `trend`, where there is one, the means over parts of it: they stand out, and the line itself goes pale.
  // `best`, where it is known, is marked by a star. `more(from, to)` promises such lines of a part; without it a part is drawn with the points that there are.
  constructor(place, title, by, more) {
    Object.assign(this, {title, by, more, lines: new Map(), part: null, detail: null, at: null, start: null, asked: null, best: null});
    this.box = make('input', {type: 'checkbox'});
    this.whole = make('button', {type: 'button', hidden: ''}, 'all of it');
    this.legend = make('span', {class: 'legend'});
    this.svg = make('svg', {role: 'img', tabindex: '0'});
    this.said = make('p', {class: 'values', 'aria-live': 'polite'});
    const head = make('figcaption', {}, make('b', {}, title), make('span', {class: 'quiet'}, ` by ${by}`), this.whole,
      make('label', {class: 'log'}, this.box, ' log scale'), this.legend);
    this.figure = make('figure', {class: 'chart'}, head, this.svg, this.said);
    place.append(this.figure);
    this.box.addEventListener('change', () => { this.asked = this.box.checked; this.draw(); });
    this.whole.addEventListener('click', () => { this.choose(null); this.svg.focus(); });
    const calm = () => { this.at = this.start = null; this.mark(); };
    for (const kind of ['pointermove', 'pointerdown', 'pointerup']) this.svg.addEventListener(kind, event => this.point(event));
    this.svg.addEventListener('pointerleave', calm);
    this.svg.addEventListener('blur', calm);
    this.svg.addEventListener('keydown', event => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.figure);
  }

  take(label, look, {x, y, trend}, anew) {
    const line = this.lines.get(label);
    if (line && !anew) Object.assign(line, {x: line.x.concat(x), y: line.y.concat(y), trend: trend ?? line.trend});
    else this.lines.set(label, {label, look, x, y, trend});
    if (this.part && x.length && x[0] <= this.part[1]) this.refine();
  }

  get points() { return Math.max(0, ...[...this.lines.values()].map(line => line.x.length)); }

  choose(part) { // what is drawn: from where to where, or all of it
    Object.assign(this, {part, detail: null});
    this.whole.hidden = !part;
    this.draw();
    if (part) this.refine();
  }

  async refine() {
    const part = this.part, found = await this.more?.(...part).catch(() => null);
    if (found && part === this.part) { this.detail = new Map(found.map(each => [each.label, each])); this.draw(); }
  }

  shown() { // the lines as they are drawn, with a point beyond each edge of a part
    const all = [...this.lines.values()];
    if (!this.part) return all;
    const cut = (curve, from, to) => {
      const first = Math.max(0, nearest(curve.x, from) - 1), last = nearest(curve.x, to) + 2;
      return {x: curve.x.slice(first, last), y: curve.y.slice(first, last)};
    };
    return all.map(line => {
      const own = this.detail?.get(line.label) ?? line;
      return {...line, ...cut(own, ...this.part), trend: own.trend && cut(own.trend, ...this.part)};
    });
  }

  scale(all) {
    const wide = Math.max(220, this.svg.clientWidth || 600);
    let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity, least = Infinity;
    for (const line of all) {
      if (line.x.length) { left = Math.min(left, line.x[0]); right = Math.max(right, line.x[line.x.length - 1]); }
      for (const y of line.y) if (y !== null) {
        low = Math.min(low, y); high = Math.max(high, y);
        if (y > 0) least = Math.min(least, y);
      }
    }
    if (low > high) return null;
    if (this.part) [left, right] = this.part;
    this.box.disabled = least === Infinity;
    this.log = least < Infinity && (this.asked ?? (low > 0 && high > DECADES * low));
    this.box.checked = this.log;
    let bottom = this.log ? Math.log10(least) : low, top = this.log ? Math.log10(high) : high;
    const room = (top - bottom) * 0.04 || Math.abs(top) * 0.1 || 1;
    bottom -= room; top += room;
    if (left === right) { left -= 0.5; right += 0.5; }
    Object.assign(this, {wide, range: [left, right]});
    const edge = value => Math.min(2 * wide, Math.max(-wide, value)); // a far neighbour beyond a part
    this.x = value => edge(LEFT + (value - left) / (right - left) * (wide - LEFT - RIGHT));
    this.y = value => TOP + (top - (this.log ? Math.log10(value) : value)) / (top - bottom) * (FLOOR - TOP);
    return {bottom, top, left, right, wide};
  }

  draw() {
    const all = this.shown(), scale = this.scale(all);
    this.legend.replaceChildren();
    for (const line of all.length > 1 || all[0]?.label !== this.title ? all : []) {
      const key = make('svg', {viewBox: '0 0 24 8', width: '24', height: '8', 'aria-hidden': 'true'});
      key.append(make('path', {class: `line ${line.look}`, d: 'M1 4H23'}));
      this.legend.append(make('span', {}, key, ` ${line.label}`));
    }
    this.figure.classList.toggle('empty', !scale);
    if (!scale) { this.said.textContent = 'Nothing that was recorded here is a number.'; return; }
    this.svg.setAttribute('viewBox', `0 0 ${scale.wide} ${HIGH}`);
    const across = scale.wide - LEFT - RIGHT + 1; // beyond it a line is cut off
    const inner = make('svg', {x: LEFT, y: 0, width: across, height: HIGH, viewBox: `${LEFT} 0 ${across} ${HIGH}`});
    inner.append(...all.flatMap(line => this.line(line)), ...this.star(scale));
    this.marks = make('g', {class: 'marks'});
    this.svg.replaceChildren(...this.axes(scale), inner, this.marks);
    this.svg.setAttribute('aria-label', this.told(all));
    this.mark();
  }

  axes({bottom, top, left, right, wide}) {
    const found = [], decades = this.log ? ticks(bottom, top, 5).filter(each => Number.isInteger(each)) : [];
    for (const tick of decades.length > 1 ? decades : ticks(bottom, top, this.log ? 3 : 5)) {
      const value = this.log ? 10 ** tick : tick, y = this.y(value).toFixed(1);
      found.push(make('line', {class: 'grid', x1: LEFT, x2: wide - RIGHT, y1: y, y2: y}));
      found.push(make('text', {x: LEFT - 6, y: +y + 4, 'text-anchor': 'end'}, round(value)));
    }
    for (const tick of ticks(left, right, wide < 480 ? 4 : 8).filter(each => Number.isInteger(each))) {
      const x = this.x(tick), last = x > wide - RIGHT - 20;
      found.push(make('text', {x: (last ? Math.min(x + 8, wide - 2) : x).toFixed(1), y: FLOOR + 17,
        'text-anchor': last ? 'end' : 'middle'}, tick.toLocaleString('en')));
    }
    found.push(make('path', {class: 'axis', d: `M${LEFT} ${TOP}V${FLOOR}H${wide - RIGHT}`}));
    return found;
  }

  line(line) { // a cross at the foot says where there is no number
    let crosses = '', crossed = -Infinity;
    line.y.forEach((y, n) => {
      const x = this.x(line.x[n]);
      if (y !== null || x - crossed < 8) return;
      crosses += `M${(x - 3).toFixed(1)} ${FLOOR - 7}l6 6m0 -6l-6 6`;
      crossed = x;
    });
    const found = this.paths(line, line.trend ? ' pale' : '');
    if (line.trend) found.push(...this.paths({...line.trend, look: line.look}, ''));
    if (crosses) found.push(make('path', {class: `cross ${line.look}`, d: crosses}));
    return found;
  }

  star({left, right}) { // at the best of all
    if (this.best === null || this.best < left || this.best > right) return [];
    const x = this.x(this.best).toFixed(1);
    return [make('line', {class: 'best', x1: x, x2: x, y1: TOP + 14, y2: FLOOR}), make('text', {class: 'star', x, y: TOP + 10}, '★')];
  }

  paths({x, y, look}, kind) { // it breaks off where there is no number; a number that stands alone is a dot
    const has = n => n >= 0 && n < y.length && y[n] !== null && !(this.log && y[n] <= 0);
    let line = '', dots = '';
    y.forEach((value, n) => {
      if (!has(n)) return;
      const place = `${this.x(x[n]).toFixed(1)} ${this.y(value).toFixed(1)}`;
      if (has(n - 1) || has(n + 1)) line += `${has(n - 1) ? 'L' : 'M'}${place}`;
      else dots += `M${place}h0`;
    });
    return [make('path', {class: `line ${look}${kind}`, d: line}), ...(dots ? [make('path', {class: `dots ${look}${kind}`, d: dots})] : [])];
  }

  told(all) { // the chart in words
    const found = all.filter(line => line.x.length).map(line => {
      const numbers = line.y.filter(y => y !== null);
      if (!numbers.length) return `${line.label}: not a number`;
      const least = numbers.reduce((a, b) => Math.min(a, b)), most = numbers.reduce((a, b) => Math.max(a, b));
      return `${line.label}: ${words(numbers[0])} at first, ${words(numbers[numbers.length - 1])} at ${this.by} ` +
        `${words(line.x[line.x.length - 1])}, least ${words(least)}, most ${words(most)}`;
    });
    const star = this.best === null ? '' : ` The best is ${this.by} ${words(this.best)}.`;
    return `${this.title} by ${this.by}. ${found.join('; ')}.${star} The arrow keys read single values, plus and minus draw a part larger.`;
  }

  point(event) { // only a mouse chooses a part: a finger that moves reads values
    if (!this.x) return;
    const box = this.svg.getBoundingClientRect(), [left, right] = this.range;
    const share = ((event.clientX - box.left) / box.width * this.wide - LEFT) / (this.wide - LEFT - RIGHT);
    this.at = left + Math.min(1, Math.max(0, share)) * (right - left);
    if (event.type === 'pointerdown' && event.pointerType === 'mouse') { this.start = this.at; this.svg.focus(); event.preventDefault(); }
    if (event.type === 'pointerup') {
      const [from, to] = [this.start ?? this.at, this.at].sort((a, b) => a - b), dragged = this.x(to) - this.x(from);
      this.start = null;
      if (dragged > DRAGGED) return this.choose([from, to]);
    }
    this.mark();
  }

  key(event) {
    const all = this.shown(), longest = all.reduce((a, b) => a.x.length >= b.x.length ? a : b, {x: []}).x;
    if (!longest.length) return;
    const place = this.at === null ? longest.length : nearest(longest, this.at), last = longest.length - 1;
    const many = Math.max(1, Math.round(longest.length / 100));
    const moves = {ArrowLeft: place - 1, ArrowRight: place + 1, PageDown: place - many, PageUp: place + many, Home: 0, End: last};
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') { this.at = null; if (this.part) this.choose(null); }
    else if (event.key === '+' || event.key === '-') this.larger(event.key === '+' ? 1 / 2 : 2);
    else if (event.key in moves) this.at = longest[Math.min(last, Math.max(0, moves[event.key]))];
    else return;
    event.preventDefault();
    this.mark();
  }

  larger(times) { // half or twice as much of it, around the value that is read
    const [left, right] = this.range, ends = [...this.lines.values()].filter(line => line.x.length);
    const first = Math.min(...ends.map(line => line.x[0])), last = Math.max(...ends.map(line => line.x[line.x.length - 1]));
    const middle = this.at ?? (left + right) / 2, wide = (right - left) * times;
    const from = Math.max(first, Math.min(middle - wide / 2, last - wide)); // at an edge all of it lies to one side
    if (wide >= last - first) this.choose(null);
    else if (wide >= 2) this.choose([from, from + wide]);
  }

  mark() {
    if (!this.marks) return;
    this.marks.replaceChildren();
    if (this.at === null) { this.said.textContent = ''; return; }
    const near = this.shown().filter(line => line.x.length).map(line => ({line, n: nearest(line.x, this.at)}));
    const closest = near.map(each => each.line.x[each.n]).reduce((a, b) => Math.abs(a - this.at) <= Math.abs(b - this.at) ? a : b);
    const x = this.x(closest).toFixed(1);
    if (this.start !== null) {
      const ends = [this.start, this.at].map(each => this.x(each)).sort((a, b) => a - b);
      this.marks.append(make('path', {class: 'chosen', d: `M${ends[0]} ${TOP}H${ends[1]}V${FLOOR}H${ends[0]}z`}));
    }
    this.marks.append(make('line', {x1: x, x2: x, y1: TOP, y2: FLOOR}));
    const said = near.map(({line, n}) => {
      const y = line.y[n], where = line.x[n] === closest ? '' : ` (${this.by} ${words(line.x[n])})`;
      if (y !== null && !(this.log && y <= 0))
        this.marks.append(make('circle', {class: line.look, cx: this.x(line.x[n]).toFixed(1), cy: this.y(y).toFixed(1), r: 3.5}));
      const mean = line.trend?.x.length ? `, mean ${words(line.trend.y[nearest(line.trend.x, line.x[n])])}` : '';
      return `${line.label === this.title ? '' : `${line.label} `}${words(y)}${mean}${where}`;
    });
    this.said.textContent = `${this.by} ${words(closest)}: ${said.join('; ')}`;
  }
}
