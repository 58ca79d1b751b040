// The topic list: what the hub has, and which of it this page follows: all
// topics, those that come later too, or those that the reader picked. The
// page's address holds the pick, so that it can be passed on.

import { ask } from './access.js';
import { $, detailOf, make, problemOf } from './dom.js';
import { count, say } from './text.js';

const every = 3000;         // ms between two looks, while the page is visible
const maxFollowed = 100;    // topics of one stream
const maxLength = 6000;     // of their names in the stream's address
const maxListed = 500;
const everything = '**';    // the selector of all topics

let known = new Map();      // topic → what the hub says of it
let more = false;           // the hub has more topics than are listed
let told = false;           // the hub has said which it has
let problem = '';           // why it does not say it now
let forbidden = '';         // why it does not say it to this reader, who may not know of all
let asks = false;           // it says it to those only whom it knows
let picked = null;          // a Set of topics; null: all
let changed = () => {};     // is told when what is followed may have changed
const rows = new Map();     // topic → its row

// followed returns the topics to listen to, in order of their names: a
// selector, if that is all of them and the reader may listen to that.
export const followed = () => picked !== null ? fitting() : forbidden ? [] : [everything];

// covered returns the topics of such a list by their names, as far as they are
// known.
export const covered = list => list.includes(everything) ? [...known.keys()] : list;

// fitting returns the topics that are followed by their names, as many as one
// stream takes.
function fitting() {
  const names = [...picked ?? known.keys()].sort();
  let length = 0;
  return names.slice(0, maxFollowed).filter(name => (length += encodeURIComponent(name).length + 7) <= maxLength);
}

// isEmpty reports whether the hub has no topic, as far as it has said.
export const isEmpty = () => told && known.size === 0;

// trouble returns why the hub does not say which topics it has, or ''.
export const trouble = () => problem;

// begin reads the page's address and tells the function of every change.
export async function begin(onChange) {
  const asked = new URLSearchParams(location.search).getAll('topic').filter(Boolean);
  if (asked.length > 0) picked = new Set(asked);
  changed = onChange;
  await refresh();
}

// look asks the hub for its topics. It never fails: who cannot be reached now
// is asked again later.
async function look() {
  const found = new Map();
  let after = '';
  try {
    do {
      const query = new URLSearchParams({ limit: maxListed, ...after && { after } });
      const answer = await ask(`/topics?${query}`, { signal: AbortSignal.timeout(10_000) });
      if (!answer.ok) {
        await refused(answer);
        return;
      }
      const page = await answer.json();
      for (const topic of page.topics) found.set(topic.topic, topic);
      after = page.next ?? '';
    } while (after !== '' && found.size < maxListed);
  } catch {
    return;
  }
  [known, more, told, problem, forbidden, asks] = [found, after !== '', true, '', '', false];
}

// refused notes why the hub does not say which topics it has. A reader who may
// not know it may still follow those of known names; who is asked for a
// credential comes back to what was known.
async function refused(answer) {
  [problem, forbidden, asks] = ['', '', answer.status === 401];
  if (answer.status === 403) [forbidden, known, more, told] = [await detailOf(answer), new Map(), false, false];
  else if (!asks) problem = await problemOf(answer);
}

let timer = 0;
let wanted = () => true;

// when sets a condition for asking the hub by and by. Where it refuses to
// answer, only another credential helps.
export function when(condition) { wanted = () => !asks && !forbidden && condition(); }

// refresh looks at once, and then every few seconds.
export async function refresh() {
  clearTimeout(timer);
  await look();
  show();
  changed();
  clearTimeout(timer);
  timer = setTimeout(again, every);
}

function again() {
  if (document.visibilityState === 'visible' && wanted()) refresh();
  else timer = setTimeout(again, every);
}

document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'visible' && wanted()) refresh(); });

// ---- the list ----

function show() {
  const names = [...new Set([...known.keys(), ...picked ?? []])].sort();
  for (const [name, row] of rows) if (!known.has(name) && !picked?.has(name)) { row.element.remove(); rows.delete(name); }
  const following = new Set(fitting());
  names.forEach((name, i) => {
    const row = rows.get(name) ?? newRow(name);
    if ($('topic-list').children[i] !== row.element) $('topic-list').insertBefore(row.element, $('topic-list').children[i] ?? null);
    row.box.checked = picked === null || following.has(name);
    row.retained.textContent = known.has(name) ? count(known.get(name).retained) : '–';
    tell(row, known.get(name) ?? {});
  });
  $('all').checked = picked === null && !forbidden;
  $('all').disabled = Boolean(forbidden);
  $('topics-refused').hidden = !forbidden;
  $('topics-why').textContent = forbidden;
  $('no-topics').hidden = names.length > 0 || asks || Boolean(forbidden);
  if (picked !== null && following.size < picked.size) say($('topics-note'), 'topics.some', { n: count(following.size) });
  else say($('topics-note'), '');
}

// tell shows what is not usual about a topic: its kind, and how it has ended.
function tell(row, { kind, status }) {
  const what = status ? `ended.${status}` : kind && kind !== 'log' ? `kind.${kind}` : '';
  say(row.state, what);
  row.state.hidden = what === '';
  row.element.classList.toggle('ended', Boolean(status));
}

function newRow(name) {
  const box = make('input');
  box.type = 'checkbox';
  const retained = make('span', 'retained');
  const state = make('span', 'topic-state');
  const row = { box, retained, state, element: make('li', '', make('label', 'pick', box, make('span', 'topic', name), state, retained)) };
  box.addEventListener('change', () => pick(topics => (box.checked ? topics.add(name) : topics.delete(name))));
  rows.set(name, row);
  return row;
}

// pick changes which topics are followed.
function pick(change) {
  const topics = new Set(fitting());
  change(topics);
  follow(topics.size > 0 ? topics : null);
}

function follow(topics) {
  picked = topics;
  const query = new URLSearchParams(location.search);
  query.delete('topic');
  for (const name of picked ?? []) query.append('topic', name);
  history.replaceState(null, '', query.size > 0 ? `?${query}` : location.pathname);
  show();
  changed();
}

$('all').addEventListener('change', () => follow($('all').checked ? null : new Set(fitting())));

$('add').addEventListener('submit', e => {
  e.preventDefault();
  const name = $('add-topic').value.trim();
  if (name === '') return;
  $('add-topic').value = '';
  follow(new Set([...picked ?? fitting(), name]));
});
