// What the header says of the connection: its state, how old events are when
// they come in, and the cursor.

import { $, copy, painter } from './dom.js';
import { count, say } from './text.js';

// ---- state ----

let next = 0; // when the next try is due

// showState shows a state of the connection, or "idle": no topic to listen to.
export function showState({ status, wait = 0, shared = false, leader = false }) {
  $('state').dataset.state = status;
  say($('state-text'), `state.${status}`);
  next = status === 'waiting' ? performance.now() + wait : 0;
  $('shared').hidden = !(shared && !leader && status === 'open');
  countDown();
}

function countDown() {
  const seconds = Math.ceil((next - performance.now()) / 1000);
  if (seconds > 0) say($('countdown'), 'countdown', { n: count(seconds) });
  else say($('countdown'), '');
}

setInterval(countDown, 500);

// ---- latency ----

const maxAge = 10_000; // older ones are history, or the clocks disagree
const maxSkew = 100;   // clocks may disagree a little
let ages = []; // ms, of the last events

// noteAge notes that an event has just come in.
export function noteAge(time) {
  const age = Date.now() - Date.parse(time);
  if (!(age >= -maxSkew && age <= maxAge)) return;
  ages.push(Math.max(0, age));
  if (ages.length > 200) ages = ages.slice(-50);
}

function showLatency() {
  if (ages.length === 0) return;
  const last = ages.slice(-50).sort((a, b) => a - b);
  const text = `${count(last[last.length >> 1])} ms`;
  if ($('latency').textContent !== text) $('latency').textContent = text;
}

setInterval(showLatency, 500);

// ---- cursor ----

let cursor = '';

// showCursor shows how far the page has seen.
export function showCursor(id) {
  cursor = id ?? '';
  paintCursor();
}

const paintCursor = painter(() => {
  $('cursor').disabled = cursor === '';
  $('cursor').dataset.cursor = cursor;
  $('cursor-text').textContent = cursor === '' ? '–' : cursor.length > 14 ? `${cursor.slice(0, 4)}…${cursor.slice(-6)}` : cursor;
});

$('cursor').addEventListener('click', async () => say($('copied'), await copy(cursor) ? 'copied' : 'not-copied'));
$('cursor').addEventListener('blur', () => say($('copied'), ''));
