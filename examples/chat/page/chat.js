// The page of one answer. Its topic stands in the address: so a reload, a second
// tab or another browser shows the same, from its beginning on.
import { texts } from './texts.js';

const hub = document.body.dataset.hub;
const client = import(`${hub}/tickertape.js`);
const main = document.querySelector('main');
const by = id => document.getElementById(id);
const words = texts[navigator.language.startsWith('zh') ? 'zh' : 'en'];
let connection = null;
let topic = '';

document.documentElement.lang = words.lang;
for (const element of document.querySelectorAll('[data-text]')) element.textContent = words[element.dataset.text];

/** Shows the answer of a topic as it is written. */
async function follow(name) {
  connection?.close();
  topic = name;
  by('question').textContent = '';
  by('answer').replaceChildren(document.createTextNode(''));
  show(name ? 'waiting' : 'idle');
  if (!name) return;
  const { connect } = await client.catch(() => ({}));
  if (!connect || name !== topic) return; // not there, or another one was asked for meanwhile
  connection = connect(hub, [name], {
    start: { since: 'all' }, // it is short: whoever comes gets all of it
    share: false, // tabs rarely show the same answer
    onEvent: take,
    onGap: g => complain(words.gap(g.reason)),
    onEnd: e => show(e.status),
    onState: s => {
      by('connection').dataset.state = s.status;
      by('connection').textContent = s.status === 'waiting' ? words.offline : '';
    },
  });
}

function take(e) {
  switch (e.event) {
    case 'question':
      by('question').textContent = e.data;
      by('question').hidden = false;
      break;
    case 'message':
      if (main.dataset.status === 'waiting') show('writing');
      by('answer').firstChild.appendData(e.data);
      break;
    case 'failed':
      complain(e.data.error.message);
      break;
  }
}

/** idle, waiting, writing, or how the answer has ended. */
function show(status) {
  const running = status === 'waiting' || status === 'writing';
  main.dataset.status = status;
  by('status').textContent = words.status[status] ?? status;
  by('status').hidden = status === 'idle' || status === 'writing';
  by('stop').hidden = !running;
  by('stop').disabled = false;
  by('ask').hidden = running;
  by('ask').disabled = false;
  by('again').hidden = running || status === 'idle';
  document.querySelector('article').ariaBusy = String(running);
}

function complain(text) {
  by('problem').textContent = text;
  by('problem').hidden = !text;
}

/** Sends JSON and returns the answer; what went wrong is shown, and thrown. */
async function post(path, body) {
  complain('');
  let text = words.noServer;
  try {
    const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const document = await answer.json();
    if (answer.ok) return document;
    text = document.error ?? text;
  } catch { /* no answer, or none of ours */ }
  complain(text);
  throw new Error(text);
}

document.querySelector('form').addEventListener('submit', async e => {
  e.preventDefault();
  by('ask').disabled = true;
  try {
    const answer = await post('/ask', { prompt: by('prompt').value });
    history.pushState(null, '', `?topic=${encodeURIComponent(answer.topic)}`);
    by('prompt').value = '';
    follow(answer.topic);
  } catch { /* shown */ } finally {
    by('ask').disabled = false;
  }
});

by('stop').addEventListener('click', async () => {
  by('stop').disabled = true;
  // What is shown then is the topic's end, like in any other tab.
  await post('/stop', { topic }).catch(() => by('stop').disabled = false);
});

// Without the hub's client nothing can be read: until it is there, the page loads anew.
client.catch(() => {
  complain(words.noHub);
  setTimeout(() => location.reload(), 5000);
});

addEventListener('popstate', open);

function open() {
  complain('');
  follow(new URLSearchParams(location.search).get('topic') ?? '');
}

open();
