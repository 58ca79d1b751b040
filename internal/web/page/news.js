// The news list: headlines, the newest on top.

import { $, cut, make, painter, time } from './dom.js';

const maxItems = 50;
let fresh = []; // not shown yet, the newest last

// headlineOf reads a headline out of an event, or returns null.
export function headlineOf(event) {
  if (event.event !== 'headline' && event.topic !== 'news' && !event.topic.startsWith('news.')) return null;
  const { title, link, source, published } = Object(event.data);
  if (typeof title !== 'string' || title.trim() === '') return null;
  const at = new Date(typeof published === 'string' ? published : event.time);
  return { title: cut(title, 500), link: safeLink(link), source: typeof source === 'string' ? cut(source, 200) : '',
    at: Number.isNaN(at.getTime()) ? new Date(event.time) : at };
}

// safeLink returns the link if following it is all that it can do.
function safeLink(link) {
  try {
    const url = new URL(link);
    return ['http:', 'https:'].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

// take shows the event if it is a headline.
export function take(event) {
  const headline = headlineOf(event);
  if (!headline) return;
  fresh.push(headline);
  if (fresh.length > maxItems) fresh.shift();
  paint();
}

const paint = painter(() => {
  $('headlines').prepend(...fresh.reverse().map(item));
  fresh = [];
  while ($('headlines').childElementCount > maxItems) $('headlines').lastElementChild.remove();
  $('news').hidden = false;
});

function item({ title, link, source, at }) {
  const text = make(link ? 'a' : 'span', 'title', title);
  if (link) Object.assign(text, { href: link, target: '_blank', rel: 'noopener noreferrer' });
  return make('li', '', text, make('p', 'source', time(at), source && ' · ', source));
}
