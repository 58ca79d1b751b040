// Banners over the page: what is wrong with the stream, and which events are
// gone.

import { $ } from './dom.js';
import { count, say } from './text.js';

// showProblem says why there is no stream; '' takes that back.
export function showProblem(text) {
  $('problem').textContent = text;
  $('problem').hidden = text === '';
}

const named = 3; // topics that the banner names
let lost = new Set();

// showGap says that events of a topic are gone.
export function showGap({ topic, reason }) {
  lost.delete(topic);
  lost.add(topic); // the last one is the newest
  const names = [...lost].slice(-named).reverse().join(', ');
  const more = lost.size - named;
  say($('gap-topics'), more > 0 ? 'gap.topics.more' : 'gap.topics', { names, n: count(more) });
  say($('gap-why'), `gap.${reason}`);
  $('gap').hidden = false;
}

$('gap-close').addEventListener('click', () => {
  lost = new Set();
  $('gap').hidden = true;
});
