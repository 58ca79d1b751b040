// Looks for tabs that miss an event, see one twice or out of order, or do not
// find together again. Usage: node tabs.mjs FIRST_SEED RUNS

import { position, Tab, World } from './world.mjs';

const topics = ['a', 'b'];
const [first, runs] = process.argv.slice(2).map(Number);
let led = 0;
for (let seed = first; seed < first + runs; seed++) await play(seed);
console.log(`${runs} worlds, ${led} tabs`);

async function play(seed) {
  const world = new World(seed);
  const { hub } = world;
  const tabs = [];
  const wrong = text => { throw new Error(`seed ${seed}: ${text}`); };
  if (world.random() < 0.4) hub.kept = Math.ceil(world.between(5, 100));
  const start = world.pick([undefined, { last: 3 }, { since: 'all' }]);
  const open = () => {
    const at = world.random() < 0.2 && hub.clock > 5 ? { cursor: `c${Math.ceil(world.between(0, hub.clock))}` } : start;
    tabs.push(new Tab(world, { topics: world.random() < 0.5 ? topics : [...topics].reverse(), start: at }));
  };
  const publish = n => { for (; n > 0; n--) hub.publish(world.pick(topics)); };
  const some = () => world.pick(tabs.filter(t => !t.over));
  const steps = [
    () => tabs.filter(t => !t.over).length < 6 && open(),
    () => publish(world.between(1, 30)),
    () => publish(world.between(1, 30)),
    () => publish(world.random() < 0.2 ? 1500 : 3),
    () => { for (const s of [...hub.open]) if (world.random() < 0.7) s.cut(); },
    () => { for (const s of [...hub.open]) if (world.random() < 0.3) s.cut(true); },
    () => { for (const s of [...hub.open]) if (world.random() < 0.3) s.stalled = true; },
    () => { hub.refuse = world.random() < 0.3; hub.away = world.random() < 0.3; },
    () => tabs.length > 3 && some()?.kill(),
    () => { const t = some(); if (t && tabs.length > 3) t.leave(); },
    () => { const t = some(); if (t) t.asleep = world.now + world.between(0, 120_000); },
    () => { const t = some(); t?.fire('window', 'pagehide'); t && world.after(world.between(0, 60_000), () => t.fire('window', 'pageshow'), t); },
    () => some()?.fire('document', 'visibilitychange'),
    () => { for (const t of tabs) t.fire('window', 'online'); },
  ];
  publish(world.between(0, 20));
  open();
  for (let n = world.between(5, 60); n > 0; n--) {
    world.pick(steps)();
    await world.run(world.random() < 0.7 ? world.between(0, 300) : world.between(0, 60_000));
  }
  // All faults end; what is published then brings everybody together.
  hub.refuse = hub.away = false;
  await world.run(150_000);
  for (let n = 0; n < 40; n++) {
    publish(1);
    await world.run(10_000);
  }
  const alive = tabs.filter(t => !t.over);
  const groups = new Set(alive.map(t => !t.options.start || 'cursor' in t.options.start ? 'now' : 'start')).size;
  if (hub.open.size !== groups) wrong(`${hub.open.size} streams for ${alive.length} tabs in ${groups} groups`);
  for (const [i, t] of tabs.entries()) check(hub, t, text => wrong(`tab ${i} (${JSON.stringify(t.options.start)}): ${text}`));
  led += tabs.length;
}

/** Compares what a tab was handed with what the hub has. */
function check(hub, tab, wrong) {
  const got = tab.handed.filter(h => h.id);
  got.forEach((h, i) => i > 0 && h.id <= got[i - 1].id && wrong(`${h.id} came after ${got[i - 1].id}`));
  for (const topic of topics) {
    const ids = new Set(got.filter(h => h.topic === topic).map(h => h.id));
    const told = tab.handed.filter(h => h.gap && h.topic === topic).map(h => h.gap);
    const begin = startOf(hub, tab, topic, [...ids][0], told[0]);
    // Where it ended, it can go on from later.
    const end = tab.over ? Math.max(0, ...ids, position(tab.connection.cursor || 'c0')) : Infinity;
    for (const e of hub.events) {
      if (e.topic !== topic || e.id <= begin || e.id > end || ids.has(e.id)) continue;
      if (!e.gone || !told.some(gap => gap >= e.id)) wrong(`${topic} ${e.id} is missing after ${begin}; gaps ${told}`);
    }
  }
  if (tab.over) return;
  const rest = hub.events.filter(e => e.id > position(tab.connection.cursor)).length;
  const late = position(tab.connection.cursor) < (got.at(-1)?.id ?? 0);
  if (rest || late) wrong(`the cursor is ${tab.connection.cursor}, ${rest} events before the end`);
}

/** The position after which a tab must have everything of a topic. */
function startOf(hub, tab, topic, firstEvent = Infinity, firstGap = Infinity) {
  const { start } = tab.options;
  if (start && 'cursor' in start) return position(start.cursor);
  // What it was handed first may be older than what it must have.
  if (tab.opened === undefined) return Math.min(firstEvent - 1, firstGap - 1);
  let must = tab.opened;
  const newest = hub.events.filter(e => e.topic === topic && e.id <= tab.opened);
  if (start?.last) must = Math.min(must, (newest.at(-start.last)?.id ?? 1) - 1);
  if (start?.since && hub.kept === Infinity) must = 0;
  return Math.min(firstEvent - 1, firstGap - 1, must);
}
