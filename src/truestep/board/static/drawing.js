// What a chart is drawn with: elements, numbers in words, the places of marks on an axis.
const SVG = 'http://www.w3.org/2000/svg', DRAWN = new Set(['svg', 'path', 'line', 'circle', 'text', 'g']);

export function make(name, attributes = {}, ...children) {
  const found = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.append(...children);
  return found;
}

export function words(value) {
  if (value === null || value === undefined) return 'not a number';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString('en');
  return Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6 ? value.toExponential(3) : String(+value.toPrecision(5));
}

export function round(value) { // of an axis
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2).replace(/\.?0*e\+?/, 'e')
    : String(+value.toPrecision(4));
}

export function ticks(low, high, most) { // multiples of one, two or five times a power of ten
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(each => each * power).find(each => each >= raw) ?? raw, found = [];
  for (let n = Math.ceil(low / step); n * step <= high + step * 1e-9 && found.length < 20; n++) found.push(+(n * step).toPrecision(12));
  return found;
}

export function nearest(xs, x) { // the place in a rising list
  let low = 0, high = xs.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1; else high = middle;
  }
  return low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low;
}
