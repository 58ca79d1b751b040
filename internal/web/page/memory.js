// The newest events of each topic, kept over a reload of this tab, so that the
// page stands as it stood and the stream goes on behind them.

import { parse } from './dom.js';

const name = 'tickertape.console';
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

// recall returns the events that the page had before its reload, oldest first.
export function recall() {
  try {
    const events = parse(sessionStorage.getItem(name) ?? '[]');
    return Array.isArray(events) ? events : [];
  } catch {
    return [];
  }
}

function store() {
  const texts = [];
  let size = 0;
  const all = [...newest.values()].flat().sort((a, b) => (a.time < b.time ? 1 : -1));
  for (const event of all) {
    const text = JSON.stringify(event);
    size += text.length;
    if (size > maxSize) break;
    texts.unshift(text);
  }
  try { sessionStorage.setItem(name, `[${texts}]`); } catch { /* the page begins empty after a reload */ }
}

addEventListener('pagehide', store);
