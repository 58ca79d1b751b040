// The live feed: a row for each event and gap, the newest on top.

import { $, cut, make, painter, time } from './dom.js';
import { count, say } from './text.js';

const maxRows = 500;    // in the page
const maxKept = 2000;   // to choose from when the filter changes
const maxText = 2000;   // characters of an event's data that are shown

let kept = [];  // the newest last
let fresh = []; // of those that the filter lets through: not shown yet, the newest last
let total = 0;
let paused = false;
let filter = '';

// addEvent shows an event, whose data as text is given too.
export function addEvent(e, data) {
  total++;
  add({ kind: 'event', at: new Date(e.time), topic: e.topic, name: e.event, key: e.key ?? '',
    data: cut(data, maxText, ' …') });
}

// addGap shows that events are gone.
export function addGap(gap) {
  add({ kind: 'gap', at: new Date(), topic: gap.topic, reason: gap.reason });
}

// addEnd shows that a topic has ended.
export function addEnd(end) {
  add({ kind: 'end', at: new Date(), topic: end.topic, reason: end.status });
}

function add(entry) {
  kept.push(entry);
  if (kept.length > 2 * maxKept) kept = kept.slice(-maxKept);
  if (passes(entry)) {
    fresh.push(entry);
    if (fresh.length > 2 * maxRows) fresh = fresh.slice(-maxRows);
  }
  paint();
}

const passes = entry => filter === '' ||
  [entry.topic, entry.name, entry.key, entry.data, entry.reason].some(text => text?.toLowerCase().includes(filter));

const paint = painter(() => {
  $('count').textContent = count(total);
  if (paused) say($('pause-text'), 'resume.n', { n: count(Math.min(fresh.length, maxRows)) });
  else show();
});

// show makes rows of what is fresh; of very many only those that stay.
function show() {
  const rows = fresh.slice(-maxRows).reverse().map(row);
  fresh = [];
  $('events').prepend(...rows);
  while ($('events').childElementCount > maxRows) $('events').lastElementChild.remove();
  const empty = $('events').childElementCount === 0;
  $('no-match').hidden = !empty || filter === '';
  $('no-events').hidden = !empty || filter !== '';
}

function row(entry) {
  const cells = [time(entry.at, true), make('span', 'topic', entry.topic)];
  if (entry.kind !== 'event') {
    const [what, why] = [make('strong', 'name'), make('span', 'why')];
    say(what, entry.kind);
    say(why, `${entry.kind}.${entry.reason}`);
    cells.push(what, make('code', 'reason', entry.reason), why);
  } else {
    cells.push(make('span', 'name', entry.name), ...entry.key ? [make('span', 'key', entry.key)] : [], make('pre', 'data', entry.data));
  }
  return make('li', entry.kind, ...cells);
}

// refill shows what is kept anew, as the filter says.
function refill() {
  fresh = kept.filter(passes);
  $('events').replaceChildren();
  show();
}

$('filter').addEventListener('input', () => {
  filter = $('filter').value.trim().toLowerCase();
  refill();
});

$('clear').addEventListener('click', () => {
  [kept, total] = [[], 0];
  refill();
  paint();
});

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').setAttribute('aria-pressed', String(paused));
  say($('pause-text'), paused ? 'resume' : 'pause');
  paint();
});

$('wrap').addEventListener('click', () => {
  const whole = $('events').classList.toggle('whole');
  $('wrap').setAttribute('aria-pressed', String(whole));
});
