// The newest events of each topic, kept over a reload of this tab, so that the
// page stands as it stood and the stream goes on behind them.

import { hub, parse } from './dom.js';

const name = `tickertape.console ${hub}`; // an origin may have several hubs, under paths
const perTopic = 20;
const maxTopics = 100;
const maxEvent = 4000; // characters of its data: larger ones are not kept
const maxSize = 400_000; // characters, of the 5 MB that browsers give an origin

const newest = new Map(); // topic → its events, the newest last

// keep notes an event, whose data has so many characters.
export function keep(event, size) {
  if (size > maxEvent) return;
  const events = newest.get(event.topic) ?? [];
  newest.delete(event.topic);
  newest.set(event.topic, events); // the last topic is the one that spoke last
  events.push(event);
  if (events.length > perTopic) events.shift();
  if (newest.size > maxTopics) newest.delete(newest.keys().next().value);
}

// before is what the page was before its reload: nothing, if another address
// was asked for meanwhile.
const before = read();

function read() {
  try {
    const page = parse(sessionStorage.getItem(name) ?? '{}');
    if (page.search === location.search && Array.isArray(page.events)) return page;
  } catch { /* no storage, or not ours */ }
  return { place: `console ${Date.now()}`, events: [] };
}

// place is the name under which the stream's cursor is kept.
export const place = before.place;

// recall returns the events that the page had before its reload, oldest first.
export const recall = () => before.events;

function store() {
  const texts = [];
  let size = 0;
  const all = [...newest.values()].flat().sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  for (const event of all.reverse()) {
    const text = JSON.stringify(event);
    size += text.length;
    if (size > maxSize) break;
    texts.unshift(text);
  }
  const page = JSON.stringify({ search: location.search, place });
  try { sessionStorage.setItem(name, `${page.slice(0, -1)},"events":[${texts}]}`); } catch { /* the page begins empty after a reload */ }
}

addEventListener('pagehide', store);

// forget has the page begin empty after a reload.
export function forget() {
  removeEventListener('pagehide', store);
  try { sessionStorage.removeItem(name); } catch { /* nothing was kept */ }
}
