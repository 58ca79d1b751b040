// The hub's page: listens to topics with the browser's own EventSource and
// publishes single messages. What publishers sent goes into the page as text
// alone, never as markup.

import { texts } from './texts.js';

const maxRows = 500; // kept in the page; older ones leave it
const $ = id => document.getElementById(id);

// ---- language ----

const remembered = () => { try { return localStorage.getItem('language'); } catch { return null; } };
const remember = l => { try { localStorage.setItem('language', l); } catch { /* private mode: forgotten on reload */ } };

let language = remembered() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');

// say makes the element show a text of the dictionary, in every language from
// now on; key "" empties it.
function say(element, key) {
  element.dataset.text = key;
  element.textContent = texts[language][key] ?? '';
}

function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-text]')) say(element, element.dataset.text);
  $('language').textContent = language === 'zh' ? 'English' : '中文';
  $('language').lang = language === 'zh' ? 'en' : 'zh';
}

$('language').addEventListener('click', () => {
  language = language === 'zh' ? 'en' : 'zh';
  remember(language);
  translate();
});

// ---- rows ----

let count = 0;

function cell(tag, name, text) {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}

function timeCell(time) {
  const local = new Date(time);
  const pad = (n, width) => String(n).padStart(width, '0');
  const element = cell('time', 'time', `${pad(local.getHours(), 2)}:${pad(local.getMinutes(), 2)}:` +
    `${pad(local.getSeconds(), 2)}.${pad(local.getMilliseconds(), 3)}`);
  element.dateTime = time;
  element.title = local.toLocaleString();
  return element;
}

function addRow(kind, ...cells) {
  const row = document.createElement('li');
  row.className = kind;
  row.append(...cells);
  $('events').prepend(row);
  while ($('events').childElementCount > maxRows) $('events').lastElementChild.remove();
  $('empty').hidden = true;
}

function showEvent(e) {
  const data = typeof e.data === 'string' ? e.data : JSON.stringify(e.data);
  addRow('event', timeCell(e.time), cell('span', 'topic', e.topic), cell('span', 'name', e.event),
    ...(e.key ? [cell('span', 'key', e.key)] : []), cell('pre', 'data', data));
  $('count').textContent = ++count;
}

function showGap(gap) {
  const [what, why] = [cell('strong', 'name', ''), cell('span', 'why', '')];
  say(what, 'gap');
  say(why, `gap.${gap.reason}`);
  addRow('gap', timeCell(new Date().toISOString()), cell('span', 'topic', gap.topic), what,
    cell('code', 'reason', gap.reason), why);
}

function clearRows() {
  $('events').replaceChildren();
  $('empty').hidden = false;
  $('count').textContent = count = 0;
}

$('clear').addEventListener('click', clearRows);

// parse reads JSON. Numbers keep the digits that they were written with, where
// the browser can do that.
const parse = text => JSON.parse(text, (_, value, context) =>
  typeof value === 'number' && JSON.rawJSON && context?.source ? JSON.rawJSON(context.source) : value);

// ---- the stream ----

let source = null;

function setState(state) {
  $('state').dataset.state = state;
  say($('state'), `state.${state}`);
  $('close').disabled = state === 'idle' || state === 'closed';
}

function showProblem(text) {
  $('problem').textContent = text;
  $('problem').hidden = text === '';
}

function disconnect() {
  source?.close();
  source = null;
  setState('idle');
}

function connect(query) {
  disconnect();
  clearRows();
  showProblem('');
  $('cursor').textContent = '–';
  setState('connecting');
  const url = `/events?${query}&envelope=true`;
  const stream = source = new EventSource(url);
  const on = (name, handle) => stream.addEventListener(name, e => {
    if (e.lastEventId) $('cursor').textContent = e.lastEventId;
    handle?.(parse(e.data));
  });
  on('message', showEvent);
  on('hub.gap', showGap);
  on('hub.open');
  on('hub.cursor');
  stream.onopen = () => setState('open');
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) {
      setState('reconnecting');
    } else if (stream === source) {
      setState('closed');
      explain(url, stream);
    }
  };
}

// explain asks for the stream once more, by fetch: EventSource gives up on an
// error answer, but does not show it.
async function explain(url, stream) {
  const stop = new AbortController();
  try {
    const answer = await fetch(url, { signal: stop.signal });
    const text = answer.ok ? '' : await problemOf(answer);
    if (stream === source) showProblem(text);
  } catch { /* not reached: the state says enough */ }
  stop.abort();
}

async function problemOf(answer) {
  try {
    const problem = await answer.json();
    return [problem.detail, problem.hint].filter(Boolean).join(' — ');
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

$('close').addEventListener('click', disconnect);

$('connect').addEventListener('submit', e => {
  e.preventDefault();
  const query = new URLSearchParams();
  for (const topic of $('topics').value.split(/[\s,]+/)) if (topic) query.append('topic', topic);
  const [name, value] = $('start').value.split('=');
  if (value) query.set(name, value);
  history.replaceState(null, '', `/?${query}`); // a link that can be shared
  connect(query);
});

// ---- publishing ----

async function send(message) {
  try {
    const answer = await fetch('/publish', { method: 'POST', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(message) });
    return answer.ok ? { id: (await answer.json()).id } : { problem: await problemOf(answer) };
  } catch {
    return { unreached: true };
  }
}

$('publish').addEventListener('submit', async e => {
  e.preventDefault();
  const message = { topic: $('publish-topic').value.trim(), data: $('publish-data').value };
  if ($('publish-event').value) message.event = $('publish-event').value;
  $('send').disabled = true;
  const { id, problem, unreached } = await send(message);
  $('send').disabled = false;
  $('receipt').className = id ? 'good' : 'bad';
  const said = cell('span', '', '');
  say(said, id ? 'sent' : unreached ? 'unreached' : 'refused');
  $('receipt').replaceChildren(said, ' ', id ? cell('code', '', id) : problem ?? '');
});

// ---- beginning ----

translate();
$('publish-box').open = matchMedia('(min-width: 60rem)').matches;

// begin connects to what the page's URL names.
function begin() {
  const asked = new URLSearchParams(location.search);
  const query = new URLSearchParams();
  for (const topic of asked.getAll('topic')) query.append('topic', topic);
  for (const name of ['since', 'last']) {
    const value = asked.get(name);
    if (!value) continue;
    query.set(name, value);
    offerStart(`${name}=${value}`);
  }
  if (!query.has('topic')) return;
  $('topics').value = query.getAll('topic').join(' ');
  $('publish-topic').value = query.getAll('topic')[0];
  connect(query);
}

// offerStart selects a start, and offers it first if the list lacks it.
function offerStart(value) {
  if (![...$('start').options].some(o => o.value === value)) $('start').append(new Option(value, value));
  $('start').value = value;
}

begin();
