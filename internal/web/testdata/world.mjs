// A small world for /tickertape.js: tabs with their own globals, a hub, and a
// clock that only runs as fast as there is something to do. Everything that a
// browser leaves open (delays, who is first, which tab sleeps) is drawn at
// random, and the same seed draws the same.

import { readFileSync } from 'node:fs';

const source = readFileSync(new URL('../page/tickertape.js', import.meta.url), 'utf8').replace('export function', 'function');
const globals = ['window', 'globalThis', 'document', 'location', 'navigator', 'addEventListener', 'setTimeout', 'clearTimeout', 'Date',
  'Math', 'EventSource', 'BroadcastChannel', 'sessionStorage', 'reportError', 'queueMicrotask'];
const load = new Function(...globals, `${source}; return connect;`);

/** @param {number} seed */
function draws(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class World {
  now = 1_000_000;
  tasks = []; // {at, order, run}, in no order
  order = 0;
  channels = new Set();
  locks = new Map(); // name → waiting requests; the first one holds it if it is granted
  constructor(seed) {
    this.random = draws(seed);
    this.hub = new Hub(this);
  }

  pick(list) { return list[Math.floor(this.random() * list.length)]; }
  between(low, high) { return low + this.random() * (high - low); }

  after(ms, run, tab) {
    const task = { at: this.now + ms, order: this.order++, run, tab };
    this.tasks.push(task);
    return task;
  }

  /** Runs all that is due within so many ms. Tasks of a tab that sleeps wait, in order, until it wakes. */
  async run(ms) {
    for (const end = this.now + ms; ;) {
      const at = t => Math.max(t.at, t.tab?.asleep ?? 0);
      let next;
      for (const t of this.tasks) if (!next || at(t) < at(next) || at(t) === at(next) && (t.at - next.at || t.order - next.order) < 0) next = t;
      if (!next || at(next) > end) {
        this.now = end;
        return;
      }
      this.tasks.splice(this.tasks.indexOf(next), 1);
      this.now = Math.max(this.now, at(next));
      if (!next.tab?.dead) next.run();
      await new Promise(setImmediate); // promises go first
    }
  }

  grant(name) {
    const first = this.locks.get(name)?.[0];
    if (!first || first.granted) return;
    first.granted = true;
    this.after(this.between(0, 30), async () => {
      await first.run();
      this.release(name, first);
    }, first.tab);
  }

  release(name, request) {
    const queue = this.locks.get(name);
    const i = queue.indexOf(request);
    if (i >= 0) queue.splice(i, 1);
    if (i === 0) this.after(this.between(0, 20), () => this.grant(name));
  }
}

/** A hub with one order of positions, which keeps the newest events of each topic. */
class Hub {
  events = [];
  here = {};
  clock = 0;
  kept = Infinity;
  open = new Set();
  refuse = false; // a final answer
  away = false; // no answer
  constructor(world) { this.world = world; }

  publish(topic) {
    this.events.push({ id: ++this.clock, topic, gone: false }); // so event n is events[n - 1]
    const here = this.here[topic] ??= [];
    here.push(this.events.at(-1));
    if (here.length > this.kept) here.shift().gone = true;
  }

  /** Where a stream begins: what it replays up to the position opened, and goes on from there. */
  begin(query) {
    const asked = query.get('last_event_id');
    let [at, opened, last] = asked ? parse(asked) : [0, this.clock, Number(query.get('last') ?? 0)];
    if (!asked && query.get('since') !== 'all' && !last) at = opened;
    const replay = this.events.filter(e => e.id > at && e.id <= opened && (asked || !e.gone) &&
      (!last || this.here[e.topic].filter(x => x.id > e.id && x.id <= opened).length < last));
    return { at: replay.length ? at : opened, opened, last, replay };
  }
}

// A cursor is "c" and a position; in an opening replay also where the stream
// opened and how many of each topic it asked for.
export const position = cursor => parse(cursor)[0];
const parse = cursor => {
  const [at, opened = at, last = 0] = cursor.slice(1).split(' ').map(Number);
  return [at, opened, last];
};
const cursorOf = ({ at, opened, last }) => at < opened ? `c${at} ${opened} ${last}` : `c${at}`;

/** A tab: the globals that the module uses, and what it was handed. */
export class Tab {
  asleep = 0;
  dead = false; // it does nothing any more
  over = false; // nobody uses it any more
  handed = [];
  sources = new Set();
  listeners = { document: [], window: [] };
  requests = [];

  constructor(world, options) {
    const tab = this;
    this.world = world;
    const listen = where => (type, f, { signal }) => this.listeners[where].push({ type, f, signal });
    const timers = {
      setTimeout: (f, ms) => world.after(Math.max(0, ms), f, this),
      clearTimeout: task => { const i = world.tasks.indexOf(task); if (i >= 0) world.tasks.splice(i, 1); },
    };
    const document = { addEventListener: listen('document'), visibilityState: 'visible' };
    const Channel = class extends TabChannel { constructor(name) { super(tab, name); } };
    const Source = class extends TabSource { constructor(url) { super(tab, url); } };
    Object.assign(Source, { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
    const locks = { request: (name, { signal }, f) => this.lock(name, signal, f) };
    const env = { window: {}, globalThis: { BroadcastChannel: Channel }, document, location: { href: 'http://page/' }, navigator: { locks },
      addEventListener: listen('window'), ...timers, Date: { now: () => Math.floor(world.now) }, Math: Object.assign(Object.create(Math), {
        random: world.random, min: Math.min, max: Math.max, round: Math.round }), EventSource: Source, BroadcastChannel: Channel,
      sessionStorage: { getItem: () => null, setItem() {} }, reportError: e => { throw e; }, queueMicrotask };
    this.options = options;
    this.fickle = world.random() < 0.2; // closes its connection in a callback
    this.connection = load(...globals.map(name => env[name]))('', options.topics, {
      start: options.start,
      onEvent: e => this.note({ id: e.id, topic: e.topic, cursor: e.cursor }),
      onGap: g => this.note({ gap: position(g.cursor), topic: g.topic }),
      onState: s => {
        if (s.status === 'open') this.opened ??= world.hub.clock;
        if (this.fickle && world.random() < 0.2) this.leave();
      },
    });
  }

  /** Notes what was handed over, and may have enough of it. */
  note(handed) {
    if (this.over) throw new Error('handed over after close');
    this.handed.push(handed);
    if (this.fickle && this.world.random() < 0.01) this.leave();
  }

  leave() {
    this.over = true;
    this.connection.close();
  }

  lock(name, signal, f) {
    return new Promise((_, reject) => {
      if (!this.world.locks.has(name)) this.world.locks.set(name, []);
      const request = { tab: this, granted: false, run: f };
      this.requests.push([name, request]);
      this.world.locks.get(name).push(request);
      signal.addEventListener('abort', () => {
        if (request.granted) return;
        this.world.release(name, request);
        reject(new Error('aborted'));
      });
      this.world.grant(name);
    });
  }

  fire(where, type) {
    if (this.dead) return;
    for (const l of this.listeners[where]) if (l.type === type && !l.signal.aborted) l.f({ type });
  }

  /** Ends the tab as a crash does. */
  kill() {
    this.dead = this.over = true;
    for (const s of this.sources) s.close();
    for (const c of this.world.channels) if (c.tab === this) c.close();
    for (const [name, request] of this.requests) this.world.release(name, request);
  }
}

/** Messages of one tab come to another in order; those of different tabs in any. */
class TabChannel {
  #last = new Map();
  constructor(tab, name) {
    Object.assign(this, { tab, name, onmessage: null });
    tab.world.channels.add(this);
  }
  postMessage(data) {
    const { world } = this.tab;
    for (const other of world.channels) {
      if (other === this || other.name !== this.name) continue;
      const at = Math.max(this.#last.get(other) ?? 0, world.now + world.between(0, world.random() < 0.05 ? 600 : 15));
      this.#last.set(other, at);
      const copy = structuredClone(data);
      world.after(at - world.now, () => world.channels.has(other) && other.onmessage?.({ data: copy }), other.tab);
    }
  }
  close() { this.tab.world.channels.delete(this); }
}

/** The browser's EventSource: comes back by itself, unless the answer is final. */
class TabSource {
  readyState = 0;
  onerror = null;
  stalled = false;
  #handlers = {};
  #id = '';
  #life = 0; // counts connections
  constructor(tab, url) {
    Object.assign(this, { tab, world: tab.world, hub: tab.world.hub, query: new URL(url).searchParams });
    tab.sources.add(this);
    this.#connect(this.world.between(1, 40));
  }
  addEventListener(type, f) { this.#handlers[type] = f; }
  close() {
    this.readyState = 2;
    this.tab.sources.delete(this);
    this.hub.open.delete(this);
  }
  /** Breaks the connection, or ends all by a final answer. */
  cut(final = false) {
    if (this.readyState === 2) return;
    this.#life++;
    this.hub.open.delete(this);
    this.readyState = final ? 2 : 0;
    this.#later(0, () => {
      this.onerror?.();
      if (!final) this.#connect(this.world.between(200, 4000));
    });
  }
  #later(ms, f) {
    const life = this.#life;
    this.world.after(ms, () => { if (life === this.#life && this.tab.sources.has(this) && !this.stalled) f(); }, this.tab);
  }
  #connect(ms) {
    this.#later(ms, () => {
      if (this.readyState !== 0) return;
      if (this.hub.refuse || this.hub.away) return this.cut(this.hub.refuse);
      this.readyState = 1;
      this.hub.open.add(this);
      const query = new URLSearchParams(this.query);
      if (this.#id) query.set('last_event_id', this.#id);
      Object.assign(this, this.hub.begin(query));
      this.#fire('hub.open', { resumed: query.has('last_event_id') });
      this.#pump();
    });
  }
  #pump() {
    for (let n = this.world.between(1, 20); n > 0 && this.#next(); n--);
    this.#later(this.world.between(1, 60), () => this.#pump());
  }
  /** Sends one thing, and says whether there may be more. */
  #next() {
    if (this.readyState !== 1) return false;
    const old = this.replay.shift();
    const event = old ?? this.hub.events[Math.max(this.at, this.opened)];
    if (event) {
      this.at = event.id;
      this.#fire(event.gone ? 'hub.gap' : 'message', event.gone ? { topic: event.topic, reason: 'trimmed' } : event);
    } else if (this.world.now - this.beat > 15_000) {
      this.at = this.hub.clock;
      this.#fire('hub.heartbeat', {});
    }
    return !!event;
  }
  #fire(type, data) {
    this.beat = this.world.now;
    this.#id = cursorOf(this);
    this.#handlers[type]?.({ type, data: JSON.stringify(data), lastEventId: this.#id });
  }
}
