// The hub's page: follows topics through the hub's own browser client and
// publishes single messages. Each part of the page has its module; this one
// hands events to them and keeps the stream on the topics that are followed.

import { connect } from '../tickertape.js';
import * as access from './access.js';
import { $, copy, hub, make, parse, problemOf, textOf } from './dom.js';
import { say } from './text.js';
import './theme.js';
import * as feed from './feed.js';
import * as quotes from './quotes.js';
import * as news from './news.js';
import * as memory from './memory.js';
import * as notices from './notices.js';
import * as status from './status.js';
import * as topics from './topics.js';
import { onPublished } from './publish.js';

// ---- events ----

const maxIDs = 5000;
const ids = new Set(); // of the newest events, to show none twice

// take shows an event, unless it has been shown.
function take(event) {
  const id = `${event.topic} ${event.id}`;
  if (ids.has(id)) return;
  ids.add(id);
  if (ids.size > maxIDs) ids.delete(ids.values().next().value);
  const text = textOf(event.data);
  $('welcome').hidden = true;
  feed.addEvent(event, text);
  quotes.take(event);
  news.take(event);
  memory.keep(event, text.length);
}

// ---- the stream ----

const maxRecent = 100; // topics of which the history is read when they are new to the page

let stream = null;
let following = []; // the stream's topics
let reader = '';    // whose stream it is, by the credential
let changing = Promise.resolve();
let trouble = ''; // why the hub does not say which topics it has, as it is shown

// start is where a page begins that remembers nothing.
function start() {
  const asked = new URLSearchParams(location.search);
  if (asked.has('since')) return { since: asked.get('since') };
  return { last: Number(asked.get('last') ?? 20) };
}
const started = start();

function onState(state) {
  status.showState(state);
  if (state.status === 'open') notices.showProblem(trouble);
  if (state.status === 'waiting' && (state.reason === 'refused' || state.reason === 'token')) explain();
}

// explain shows why the stream was refused, or ended as its token did: in the
// hub's own words, which EventSource does not hand out. A stream for which a
// credential is asked for waits until there is one.
async function explain() {
  const mine = stream;
  const query = new URLSearchParams(following.map(topic => ['topic', topic]));
  for (const [name, value] of Object.entries(started)) query.set(name, value);
  const stop = new AbortController();
  try {
    const answer = await access.ask(`/events?${query}`, { signal: stop.signal });
    const problem = answer.ok ? '' : await problemOf(answer);
    if (problem !== '' && mine === stream && reader === access.credential()) {
      if (answer.status === 401) lock();
      else notices.showProblem(problem);
    }
  } catch { /* not reached: the state says enough */ }
  stop.abort();
}

function lock() {
  stream?.close();
  stream = null;
  status.showState({ status: 'locked' });
}

function open(list) {
  [following, reader] = [list, access.credential()];
  notices.showProblem(trouble); // another one was that of another stream
  if (list.length === 0) {
    stream = null;
    status.showState({ status: 'idle' });
    return;
  }
  try {
    const whose = reader === '' ? { share: true } : { token: access.credential };
    const mine = connect(hub, list, { start: started, remember: memory.place, parse, ...whose,
      onState(state) { if (mine === stream) onState(state); },
      onEvent(e) {
        take(e);
        status.noteAge(e.time);
        status.showCursor(e.cursor);
      },
      onGap(gap) {
        feed.addGap(gap);
        notices.showGap(gap);
        status.showCursor(gap.cursor);
      },
      onEnd(end) {
        feed.addEnd(end);
        status.showCursor(end.cursor);
        topics.refresh();
      } });
    stream = mine;
    status.showCursor(stream.cursor);
  } catch (error) {
    stream = null;
    status.showState({ status: 'closed' });
    notices.showProblem(error.message);
  }
}

// change listens to other topics, from where the page is. What lies behind
// that in a topic that is new to it comes from the history: the stream is
// closed meanwhile, so nothing can be missed between the two.
async function change() {
  const list = topics.followed();
  if (list.join() === following.join()) return;
  const old = stream;
  stream = null;
  old?.close();
  const before = topics.covered(following);
  const added = following.length > 0 ? topics.covered(list).filter(topic => !before.includes(topic)).slice(0, maxRecent) : [];
  await Promise.all(added.map(recent));
  open(list);
}

// reopen has the stream go on for whom the reader is now, from where the page is.
function reopen() {
  if (stream !== null && reader === access.credential()) return;
  const old = stream;
  stream = null;
  old?.close();
  open(following);
}

// recent shows the last events of a topic.
async function recent(topic) {
  try {
    const answer = await access.ask(`/topics/${encodeURIComponent(topic)}/messages?last=20`, { signal: AbortSignal.timeout(5000) });
    if (answer.ok) for (const event of parse(await answer.text()).messages) take(event);
  } catch { /* the stream shows what comes from now on */ }
}

// follow has the changes made one after the other.
function follow() {
  $('welcome').hidden = ids.size > 0 || !topics.isEmpty();
  const now = topics.covered(topics.followed()).length === 0 ? topics.trouble() : '';
  if (now !== trouble) notices.showProblem(trouble = now);
  changing = changing.catch(reportError).then(change);
}

// ---- a hub without events ----

function welcome() {
  const asked = new URLSearchParams(location.search).get('topic') ?? 'news';
  const topic = /^[\w.~:@-]+$/.test(asked) ? asked : 'news';
  const who = access.credential() === '' ? '' : '-H "Authorization: Bearer $HUB_TOKEN" ';
  const lines = [`curl ${who}-d 'hello' '${hub}/publish?topic=${topic}'`,
    `curl ${who}-H 'Content-Type: application/json' '${hub}/publish' -d '{"topic":"quotes.AAPL","event":"quote","data":{"symbol":"AAPL","price":187.20}}'`];
  $('lines').replaceChildren();
  for (const line of lines) {
    const button = make('button', 'quiet small');
    button.type = 'button';
    say(button, 'copy');
    button.addEventListener('click', async () => say(button, await copy(line) ? 'copied' : 'not-copied'));
    $('lines').append(make('li', '', make('code', '', line), button));
  }
}

// ---- beginning ----

welcome();
status.showState({ status: 'idle' });
memory.recall().forEach(take);
topics.when(() => stream === null || stream.state.status === 'open');
onPublished(topics.refresh);
access.onChange(async () => {
  welcome();
  await topics.refresh();
  changing = changing.catch(reportError).then(reopen);
});
topics.begin(follow);
if (matchMedia('(max-width: 40rem)').matches) $('publish-box').open = false;
