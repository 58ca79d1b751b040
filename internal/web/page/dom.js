// Making elements. Text is only ever set as text, never as markup.

export const $ = id => document.getElementById(id);

// The hub's base URL, without a slash at its end: this page may stand behind a
// path prefix.
export const hub = new URL('..', import.meta.url).href.replace(/\/$/, '');

// make returns a new element; strings among its children become text.
export function make(tag, name = '', ...children) {
  const element = document.createElement(tag);
  element.className = name;
  element.append(...children);
  return element;
}

// draw returns a new SVG element.
export function draw(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// time returns a time of day; milliseconds only where they matter.
export function time(at, precise) {
  const pad = (n, width = 2) => String(n).padStart(width, '0');
  const day = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  const element = make('time', 'time', precise ? `${day}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}` : day);
  element.dateTime = at.toISOString();
  element.title = at.toLocaleString();
  return element;
}

// painter returns a function that has the task run once before the next
// frame, however often it is called until then.
export function painter(task) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; task(); });
  };
}

// parse reads JSON. Numbers keep the digits that they were written with, where
// the browser can do that.
export function parse(text) {
  try {
    return JSON.parse(text, (_, value, context) =>
      typeof value === 'number' && JSON.rawJSON && context?.source ? JSON.rawJSON(context.source) : value);
  } catch {
    return JSON.parse(text); // so deep that looking at each value takes too much of the stack
  }
}

// textOf returns an event's data as text.
export function textOf(data) {
  if (typeof data === 'string') return data;
  try {
    return JSON.stringify(data) ?? '';
  } catch {
    return '[…]'; // too deep, as above
  }
}

// stored reads and writes a setting that outlives the page. Other pages of the
// origin may have settings too. A browser that forbids it forgets the setting
// on reload.
export const stored = {
  get(name) { try { return localStorage.getItem(`tickertape.${name}`); } catch { return null; } },
  set(name, value) { try { localStorage.setItem(`tickertape.${name}`, value); } catch { /* forgotten on reload */ } },
};

// cut returns a text's first characters, as a text of its own: a slice would
// keep the whole in memory.
export function cut(text, length, mark = '') {
  return text.length > length ? [text.slice(0, length), mark].join('') : text;
}

// problemOf words an error answer of the hub.
export async function problemOf(answer) {
  const { detail, hint } = await documentOf(answer);
  return [detail, hint].filter(Boolean).join(' — ') || `${answer.status} ${answer.statusText}`;
}

// detailOf is problemOf without the hint, where that is one for programs.
export async function detailOf(answer) {
  return (await documentOf(answer)).detail || `${answer.status} ${answer.statusText}`;
}

async function documentOf(answer) {
  try {
    return await answer.json();
  } catch {
    return {};
  }
}

// copy puts a text on the clipboard. Pages without TLS have no clipboard of
// their own, except on this machine, and take the older way.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make('textarea', 'unseen');
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    return copied;
  }
}
