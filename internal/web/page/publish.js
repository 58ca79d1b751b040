// The publish box: sends one message and says what became of it.

import { ask } from './access.js';
import { $, make, problemOf } from './dom.js';
import { say } from './text.js';

// body returns the message as JSON. Data that is JSON goes out as it was
// typed: reading and writing it anew would change the digits of its numbers.
function body() {
  const message = { topic: $('publish-topic').value.trim() };
  if ($('publish-event').value !== '') message.event = $('publish-event').value;
  const data = $('publish-data').value;
  if (!$('publish-json').checked) return JSON.stringify({ ...message, data });
  JSON.parse(data);
  return `${JSON.stringify(message).slice(0, -1)},"data":${data}}`;
}

async function send(text) {
  try {
    const answer = await ask('/publish', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text });
    return answer.ok ? { id: (await answer.json()).id } : { problem: await problemOf(answer) };
  } catch {
    return { unreached: true };
  }
}

function show(kind, key, detail) {
  const said = make('span');
  say(said, key);
  $('receipt').className = kind;
  $('receipt').replaceChildren(said, ' ', detail);
}

// onPublished calls the function after each message that the hub took.
export function onPublished(call) {
  $('publish').addEventListener('submit', async e => {
    e.preventDefault();
    let text;
    try {
      text = body();
    } catch (error) {
      show('bad', 'not-json', error.message);
      return;
    }
    $('send').disabled = true;
    const { id, problem, unreached } = await send(text);
    $('send').disabled = false;
    if (id) {
      show('good', 'sent', make('code', '', id));
      call();
    } else {
      show('bad', unreached ? 'unreached' : 'refused', problem ?? '');
    }
  });
}
