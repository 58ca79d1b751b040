// Tickertape's browser client: one ES module over the browser's own
// EventSource, served by every hub at /tickertape.js. docs/browser.md says how
// to use it.
//
//   import { connect } from '/tickertape.js';
//   const c = connect('', ['news'], { onEvent: e => console.log(e.topic, e.data) });

/**
 * An event as the hub's envelope has it, and the cursor after it.
 * @typedef {{topic: string, id: string, time: string, event: string, key?: string, data: any, cursor: string}} TickerEvent
 */
/**
 * Events of a topic are gone for good; reasons: README, "Listen".
 * @typedef {{topic: string, reason: string, after: string, resumed_at: string, cursor: string}} Gap
 */
/**
 * A topic has ended: nothing more comes of it. id is the end's.
 * @typedef {{topic: string, status: 'completed'|'failed'|'cancelled'|'producer_lost', id: string, cursor: string}} End
 */
/**
 * What goes on. resumed: whether the stream went on from a cursor. wait: ms
 * until the next try, where the module decides that and not the browser.
 * shared: other tabs of the origin use, or may use, the same connection.
 * leader: it is this tab's. reason: why it is not open, or was opened anew;
 * ended: all topics have, and the connection is closed for good.
 * @typedef {{status: 'connecting'|'open'|'waiting'|'closed', resumed?: boolean, wait?: number,
 *   shared: boolean, leader: boolean, reason?: 'cut'|'refused'|'silence'|'wake'|'token'|'no leader'|'ended'}} State
 */
/** @typedef {{last: number} | {since: string} | {cursor: string}} Start */
/**
 * @typedef {object} Options
 * @property {(e: TickerEvent) => void} [onEvent]
 * @property {(g: Gap) => void} [onGap]
 * @property {(e: End) => void} [onEnd]
 * @property {(s: State) => void} [onState]
 * @property {Start} [start] where to begin; default: from now on
 * @property {string} [remember] keep the cursor over reloads of this tab under this name; it wins over start
 * @property {boolean|string} [share] one connection for all tabs that ask for the same; a name makes a group of its own.
 *   Default: true, but false where there is a token
 * @property {() => string|Promise<string>} [token] asked before each connection; sent as the query access_token
 * @property {(text: string) => any} [parse] reads an envelope; default: JSON.parse
 */
/** @typedef {{readonly cursor: string, readonly state: State, readonly topics: string[], close(): void}} Connection */

const types = ['message', 'hub.gap', 'hub.end', 'hub.open', 'hub.heartbeat', 'hub.cursor', 'hub.auth'];
/** what is more than a sign @type {Record<string, Item['kind']>} */
const kinds = { message: 'event', 'hub.gap': 'gap', 'hub.end': 'end' };
const heartbeat = 20_000; // ms; the hub's are 12 to 18 s apart
const silence = 45_000; // ms without any event, after which a connection counts as dead
const leaderSilence = 50_000; // the same for a leader, who has to notice first
const answerTime = 1500; // ms that a leader has for an answer
const longestWait = 20_000; // ms, ± 50 %
const memory = 1000; // events kept for other tabs, and how far two tabs can be apart
const memoryText = 4 << 20; // characters of these events, at most; and as many of a start with last

/**
 * Listens to topics of a hub, and to all that selectors like quotes.* match. Throws a TypeError if an argument is wrong.
 * @param {string} url the hub's base URL; '' is the page's own origin
 * @param {string[]} topics
 * @param {Options} [options]
 * @returns {Connection}
 */
export function connect(url, topics, options = {}) {
  const names = checkTopics(topics);
  const client = new Client(eventsAt(url), names, checkOptions(options));
  return {
    get cursor() { return client.cursor; },
    get state() { return client.state; },
    get topics() { return [...names]; },
    close: () => client.close(),
  };
}

/** Joins the tab's own stream, its group and the page's callbacks. */
class Client {
  /** @type {Options} */ #options;
  /** @type {Stream} */ #stream;
  /** @type {Group|null} */ #group;
  /** @type {Chain} */ #chain;
  /** behind what was handed over; the chain may be further, in the middle of a batch */ cursor;
  /** @type {State} */ state = { status: 'connecting', shared: false, leader: false };
  #away = false; // between pagehide and pageshow, or freeze and resume
  #saving = 0; // a timer
  #topics;
  /** topics that have ended @type {Set<string>} */ #ended = new Set();
  #listening = new AbortController();

  /** @param {URL} url @param {string[]} topics @param {Options} options */
  constructor(url, topics, options) {
    this.#options = options;
    this.#topics = topics;
    const { start, token } = options;
    this.cursor = this.#remembered() || (start && 'cursor' in start ? start.cursor : '');
    const group = groupName(url, topics, options);
    this.#chain = new Chain(this.cursor, group ? memory : 0, start && 'last' in start && start.last * topics.length <= memory ? start.last : 0);
    this.#stream = new Stream(access => address(url, topics, this.#chain.cursor, start, access), token,
      (kind, e) => this.#read(kind, e), change => this.#tell(change), () => this.#finish('ended'));
    this.#group = group ? new Group(group, this.#chain, start, {
      lead: () => this.#lead(),
      follow: state => { this.#stream.shut(); this.#tell(state ?? { status: 'open' }); },
      alone: reason => this.#stream.open(reason),
      hand: item => this.#hand(item),
      settle: () => this.#settle(),
      state: () => this.state,
      prod: () => this.#stream.wake(false),
    }) : null;
    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#wake(), { signal });
    addEventListener('online', () => this.#wake(), { signal });
    addEventListener('pageshow', () => this.#return(), { signal });
    addEventListener('pagehide', () => this.#leave(), { signal });
    // A frozen page does nothing, but may still hold the others' connection.
    document.addEventListener('freeze', () => this.#leave(), { signal });
    document.addEventListener('resume', () => this.#return(), { signal });
    // Callbacks are never called before connect has returned.
    queueMicrotask(() => {
      if (this.state.status === 'closed') return;
      this.#call(this.#options.onState, this.state);
      this.#begin();
    });
  }

  close() { this.#finish(); }

  /** @param {State['reason']} [reason] */
  #finish(reason) {
    if (this.state.status === 'closed') return;
    this.#listening.abort();
    this.#leave();
    this.#tell({ status: 'closed', reason });
  }

  #begin() {
    if (this.state.status === 'closed' || this.#away) return;
    if (this.#group) this.#group.join();
    else this.#stream.open();
  }

  /** The tab's stream, if it has one already, is the group's from now on. */
  #lead() {
    if (this.#stream.running) this.#tell(this.state);
    else this.#stream.open();
  }

  /** Goes on at once after a sleep, in which timers and sockets stood still. */
  #wake() {
    if (this.#away) return;
    if (this.#group?.following) this.#group.wake();
    else this.#stream.wake(true);
  }

  /** A page with an open stream, channel or lock could not be kept for the way back; and a page that is kept hears nothing. */
  #leave() {
    this.#away = true;
    this.#stream.shut();
    this.#group?.leave();
    this.#save();
  }

  #return() {
    if (!this.#away) return;
    this.#away = false;
    this.#begin();
  }

  /** @param {Item['kind']} kind @param {MessageEvent} e */
  #read(kind, e) {
    const before = this.#chain.cursor;
    // An event without an id of its own has the one before it: then after is before.
    const item = { kind, before, after: e.lastEventId || before, text: e.data };
    const verdict = this.#chain.take(item);
    const opened = e.type === 'hub.open' && JSON.parse(e.data);
    if (opened.tables && this.#group) this.#group.tables = true;
    // Others first: a callback may throw, take long, or close all this.
    this.#group?.relay(item);
    if (verdict === 'new') this.#hand(item);
    this.#settle();
    if (opened) this.#tell({ status: 'open', resumed: opened.resumed });
  }

  /** @param {Item} item */
  #hand(item) {
    this.cursor = item.after;
    const { onEvent, onGap, onEnd } = this.#options;
    const callback = item.kind === 'gap' ? onGap : item.kind === 'end' ? onEnd : onEvent;
    this.#call(/** @param {string} text */ text => {
      const value = (this.#options.parse ?? JSON.parse)(text);
      value.cursor = item.after;
      if (item.kind === 'end') value.id = item.after;
      callback?.(value);
    }, item.text);
    this.#note(item);
  }

  /** Notes which topics have ended. One that goes on is in its next life, and of a gap nobody knows what it took. @param {Item} item */
  #note({ kind, text }) {
    if (kind !== 'end' && this.#ended.size === 0) return;
    const { topic } = JSON.parse(text);
    if (kind !== 'end') this.#ended.delete(topic);
    else this.#ended.add(topic);
    if (this.#topics.every(t => this.#ended.has(t))) this.#finish('ended');
  }

  #settle() {
    this.cursor = this.#chain.cursor;
    if (this.#options.remember && !this.#saving) this.#saving = setTimeout(() => this.#save(), 1000);
  }

  /** @param {Partial<State>} change */
  #tell(change) {
    const role = this.#group?.role;
    /** @type {State} */
    const state = { status: 'connecting', ...change, shared: role === 'following' || role === 'leading', leader: role === 'leading' };
    for (const key of /** @type {(keyof State)[]} */ (Object.keys(state))) if (state[key] === undefined) delete state[key];
    if (this.state.status === 'closed' || JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.#group?.relayState(state);
    this.#call(this.#options.onState, state);
  }

  /** @template T @param {((x: T) => void)|undefined} callback @param {T} value */
  #call(callback, value) {
    try {
      callback?.(value);
    } catch (error) {
      reportError(error);
    }
  }

  // ---- the cursor over reloads ----

  #remembered() {
    try {
      return this.#options.remember && sessionStorage.getItem(this.#memory()) || '';
    } catch {
      return ''; // no storage in this page
    }
  }

  #save() {
    clearTimeout(this.#saving);
    this.#saving = 0;
    if (!this.#options.remember || !this.cursor) return;
    try {
      sessionStorage.setItem(this.#memory(), this.cursor);
    } catch { /* full, or no storage: forgotten on reload */ }
  }

  #memory() { return `tickertape:${this.#options.remember}`; }
}

/** A tab's own EventSource, made anew where the browser would not do it. */
class Stream {
  #address; #token; #read; #tell; #over;
  /** @type {EventSource|null} */ #source = null;
  /** what the newest try is known by @type {object|null} */ #try = null;
  /** the newest token @type {string|undefined} */ #access;
  #retrying = 0; // a timer
  #tries = 0; // since the stream was last open
  #made = 0; // when the newest EventSource was
  #watch = new Watch(silence, () => this.open('silence'));

  /**
   * @param {(token?: string) => string} address
   * @param {Options['token']} token
   * @param {(kind: Item['kind'], e: MessageEvent) => void} read
   * @param {(change: Partial<State>) => void} tell
   * @param {() => void} over nothing will ever come
   */
  constructor(address, token, read, tell, over) {
    this.#address = address;
    this.#token = token;
    this.#read = read;
    this.#tell = tell;
    this.#over = over;
  }

  /** Whether there is an EventSource, or will be. */
  get running() { return this.#try !== null; }

  /**
   * Makes a new EventSource in place of the one that there may be.
   * @param {State['reason']} [reason]
   */
  async open(reason) {
    this.shut();
    const mine = this.#try = {};
    this.#watch.touch(); // bounds the time of the token's function too
    this.#tell({ status: 'connecting', reason });
    let token;
    try {
      if (this.#token) token = await this.#token();
    } catch (error) {
      reportError(error);
      if (mine === this.#try) this.#retry('token');
      return;
    }
    if (mine !== this.#try) return; // shut or opened anew meanwhile
    this.#access = token;
    const source = this.#source = new EventSource(this.#address(token));
    this.#made = Date.now();
    for (const type of types) {
      source.addEventListener(type, e => {
        if (source !== this.#source) return;
        this.#watch.touch();
        if (type === 'hub.open') this.#tries = 0;
        if (type === 'hub.auth') this.#retry('token'); // the last one's time is over
        else this.#read(kinds[type] ?? 'sign', e);
      });
    }
    source.onerror = () => source === this.#source && this.#lost(source);
  }

  shut() {
    this.#try = null;
    clearTimeout(this.#retrying);
    this.#retrying = 0;
    this.#watch.stop();
    this.#source?.close();
    this.#source = null;
  }

  /**
   * Opens the stream anew if it has been silent for too long, or, in a hurry,
   * if it waits. A try that has just begun goes on.
   * @param {boolean} hurry
   */
  wake(hurry) {
    const waiting = this.#retrying || this.#source?.readyState === EventSource.CONNECTING && Date.now() - this.#made > 2000;
    if (this.running && (hurry && waiting || this.#watch.age > heartbeat)) this.open('wake');
  }

  /**
   * The browser comes back by itself to what the hub or the network cut off,
   * with its newest cursor and after the time that the hub has told it. It
   * gives up after a final answer, which it does not show; and it would come back with the old token.
   * @param {EventSource} source
   */
  #lost(source) {
    this.#watch.touch();
    if (source.readyState === EventSource.CLOSED) {
      this.#retry('refused');
      this.#inquire();
    } else if (this.#token) this.#retry('cut');
    else this.#tell({ status: 'waiting', reason: 'cut' });
  }

  /**
   * Asks whether the final answer was that all topics have ended, and nothing
   * is left for this client: at first, and now and then if it is refused again
   * and again.
   * @returns {Promise<void>}
   */
  async #inquire() {
    const url = this.#address(this.#access);
    if (this.#tries % 8 !== 1 || !new URL(url).searchParams.has('last_event_id')) return;
    const mine = this.#try;
    const stop = new AbortController();
    const late = setTimeout(() => stop.abort(), longestWait);
    try {
      const answer = await fetch(url, { cache: 'no-store', signal: stop.signal });
      if (answer.status === 204 && mine === this.#try) this.#over();
    } catch { /* not reached: the next try tells */ }
    clearTimeout(late);
    stop.abort(); // it may be a stream
  }

  /** @param {State['reason']} reason */
  #retry(reason) {
    this.#source?.close();
    this.#source = null;
    this.#watch.touch(); // longer than any wait
    const wait = Math.round(Math.min(longestWait, 1000 * 2 ** this.#tries++) * (0.5 + Math.random()));
    this.#retrying = setTimeout(() => this.open(reason), wait);
    this.#tell({ status: 'waiting', wait, reason });
  }
}

/** Calls somebody when nothing was touched for so long. It goes by the clock, for timers stand still while a machine sleeps. */
class Watch {
  #limit; #bark;
  #timer = 0;
  #touched = 0;

  /** @param {number} limit in ms @param {() => void} bark */
  constructor(limit, bark) {
    this.#limit = limit;
    this.#bark = bark;
  }

  touch() {
    this.#touched = Date.now();
    this.#timer ||= setTimeout(() => this.#look(), this.#limit);
  }

  get age() {
    this.#touched = Math.min(this.#touched, Date.now()); // somebody may have set the clock
    return Date.now() - this.#touched;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #look() {
    const left = this.#limit - this.age;
    this.#timer = left > 0 ? setTimeout(() => this.#look(), left) : 0;
    if (left <= 0) this.#bark();
  }
}

// ---- one connection for all tabs ----
//
// All tabs that ask for the same form a group. The one that holds the group's
// lock leads: it has the EventSource and relays what it reads. The others
// follow, or are alone with an EventSource of their own as long as the leader
// cannot help them.
//
// Cursors keep that exact. Each item says the cursor before and after it, so
// it is a link of a chain, and a tab takes it only if it stands where the link
// begins. Who has been at a cursor has got all up to there, and everyone gets
// the same after it, whichever connection it comes by. So it does not matter
// who leads, who was faster, or in which order the tabs hear of a new leader.

/**
 * What a stream brought. A sign is one of the hub's own events that only moves
 * the cursor.
 * @typedef {{kind: 'event'|'gap'|'end'|'sign', before: string, after: string, text: string}} Item
 */
/** @typedef {Pick<Item, 'kind'|'after'|'text'> & {n: number, still: boolean}} Kept */

/** What a tab was handed: where it stands, and what it can tell other tabs of the way. */
class Chain {
  /** @type {string} */ cursor;
  #n = 0; // events (and gaps that moved the cursor) so far
  /** cursors that the tab has been at, and the number of events before each @type {Map<string, number>} */ #places = new Map();
  /** @type {Kept[]} */ #ring = [];
  #text = 0; // characters in it
  #floor = 0; // who has fewer events than that cannot be told the rest from the ring
  #whole; // whether the chain holds all since its start; a gap makes that doubtful
  /** the newest of each topic @type {Map<string, Kept[]>} */ #newest = new Map();
  #newestText = 0; // characters in it
  #limit; #last;

  /** @param {string} cursor @param {number} limit how many items to keep @param {number} last how many of each topic */
  constructor(cursor, limit, last) {
    this.cursor = cursor;
    this.#limit = limit;
    this.#last = limit && last;
    this.#whole = cursor === '';
    this.#places.set(cursor, 0);
  }

  /**
   * Takes an item if it goes on from here (new: to be handed over). Known is
   * one that was taken before, by whichever way. A foreign one does not fit:
   * there is more between here and there, or another way leads there.
   * @param {Item} item @returns {'new'|'known'|'foreign'}
   */
  take(item) {
    const at = this.#at(item.before);
    const here = at === this.#n;
    const had = this.#at(item.after) !== undefined;
    if (item.kind === 'sign') {
      // Whoever moves from a known place by a sign has no more events there
      // than before, even if it is behind this tab. Only from here does the
      // sign's cursor become this tab's: it is not older than what it has.
      if (at === undefined) return had ? 'known' : 'foreign';
      if (here) this.#move(item.after);
      else if (!had) this.#places.set(item.after, at);
      return 'known';
    }
    // An id is never used twice. A gap may be told again, but never left out.
    if (had && (item.kind !== 'gap' || !here)) return 'known';
    if (!here) return 'foreign';
    this.#keep(item, item.before === item.after);
    this.#move(item.after);
    return 'new';
  }

  /** @param {string} cursor */
  #at(cursor) {
    const n = this.#places.get(cursor);
    return n !== undefined && this.#n - n <= memory ? n : undefined;
  }

  /** @param {string} cursor */
  #move(cursor) {
    this.#places.delete(''); // everybody's start is another one
    this.#places.delete(cursor); // to stand last, where it is forgotten last
    this.#places.set(cursor, this.#n);
    this.cursor = cursor;
    if (this.#places.size > 2 * memory) this.#places.delete(/** @type {string} */ (this.#places.keys().next().value));
  }

  /** @param {Pick<Item, 'kind'|'after'|'text'>} item @param {boolean} still whether the cursor does not move */
  #keep({ kind, after, text }, still) {
    if (!still) this.#n++;
    if (!this.#limit) return;
    const kept = { kind, after, text, n: this.#n, still };
    this.#ring.push(kept);
    this.#text += text.length;
    while (this.#ring.length > this.#limit || this.#text > memoryText) {
      const oldest = /** @type {Kept} */ (this.#ring.shift());
      this.#text -= oldest.text.length;
      this.#floor = oldest.n + (oldest.still ? 1 : 0);
    }
    if (kind === 'gap') this.#whole = false;
    if (!this.#last || !this.#whole) return;
    const { topic } = JSON.parse(text);
    const list = this.#newest.get(topic) ?? [];
    list.push(kept);
    this.#newest.set(topic, list);
    this.#newestText += text.length;
    if (list.length > this.#last) this.#newestText -= /** @type {Kept} */ (list.shift()).text.length;
    if (this.#newestText <= memoryText) return;
    this.#last = this.#newestText = 0; // too much: who joins reads it by itself
    this.#newest.clear();
  }

  /** What came after a cursor, as links from there to here; null if that is not known any more. @param {string} cursor */
  after(cursor) {
    const at = this.#at(cursor);
    if (at === undefined || at < this.#floor) return null;
    let before = cursor;
    /** @type {Item[]} */
    const items = this.#ring.filter(k => k.n > at || k.still && k.n === at).map(({ kind, after, text, still }) => {
      const item = { kind, before, after: still ? before : after, text };
      before = item.after;
      return item;
    });
    return [...items, { kind: 'sign', before, after: this.cursor, text: '{}' }];
  }

  /** What a tab gets that begins now with the start that this one began with; null if that is not known. @param {Start} [start] */
  begin(start) {
    if (this.cursor === '' || !start || 'cursor' in start) return [];
    if (!this.#whole) return null;
    if ('last' in start) return this.#last ? [...this.#newest.values()].flat().sort((a, b) => a.n - b.n) : null;
    return start.since === 'all' && this.#floor === 0 ? this.#ring : null;
  }

  /** Makes that a new tab's. Between its items others may be missing, so only its end is a place. @param {Kept[]} items @param {string} cursor */
  adopt(items, cursor) {
    for (const item of items) this.#keep(item, false);
    this.#move(cursor);
  }
}

/**
 * @typedef {object} Hooks what a group asks of its client
 * @property {() => void} lead read the stream, for all
 * @property {(state?: State) => void} follow read it no more
 * @property {(reason?: State['reason']) => void} alone read it, for this tab
 * @property {(item: Item) => void} hand give an item to the page
 * @property {() => void} settle all has been handed over
 * @property {() => State} state
 * @property {() => void} prod somebody waits for a sign of life
 */

/**
 * A start without a cursor: that is one tab's place, and no start to others.
 * @param {Start} [start]
 */
function beginOf(start) { return start && !('cursor' in start) ? start : null; }

/** A tab's place in its group. */
class Group {
  /** @type {'none'|'asking'|'following'|'alone'|'leading'} */ role = 'none';
  #name; #chain; #start; #hooks;
  #id = `${Date.now()} ${Math.random()}`;
  /** @type {BroadcastChannel|null} */ #channel = null;
  #leaving = new AbortController();
  #asking = 0; // a timer
  #opened = 0; // when the leader's stream was, last
  tables = false; // a topic may be a table: who begins now needs more than what comes
  #watch = new Watch(leaderSilence, () => this.following && this.#ask());

  /** @param {string} name @param {Chain} chain @param {Start|undefined} start @param {Hooks} hooks */
  constructor(name, chain, start, hooks) {
    this.#name = name;
    this.#chain = chain;
    this.#start = start;
    this.#hooks = hooks;
  }

  get following() { return this.role === 'following'; }

  join() {
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = e => this.#hear(e.data);
    const { signal } = this.#leaving = new AbortController();
    // The lock may be granted when the tab has just left, and then is none of
    // its business. If it can never be had, others lead or all are alone.
    navigator.locks.request(this.#name, { signal }, () => signal.aborted ? undefined : this.#lead(signal)).catch(() => {});
    this.#ask();
  }

  /** Gives up the lead too: the next one in the lock's queue takes it. */
  leave() {
    this.role = 'none';
    this.#leaving.abort();
    this.#rest();
    this.#channel?.close();
    this.#channel = null;
  }

  /** A leader that was silent for longer than a heartbeat may have been left behind in the sleep. */
  wake() { if (this.#watch.age > heartbeat) this.#ask(); }

  /** @param {Item} item */
  relay(item) { if (this.role === 'leading') this.#post({ item }); }

  /** @param {State} state */
  relayState(state) {
    if (this.role !== 'leading') return;
    if (state.status === 'open') this.#opened = Date.now();
    this.#post({ state });
  }

  /** @param {object} message */
  #post(message) { this.#channel?.postMessage(message); }

  #rest() {
    clearTimeout(this.#asking);
    this.#watch.stop();
  }

  /** Leads until the tab leaves. The others go on from where they stand: see Chain. @param {AbortSignal} signal */
  #lead(signal) {
    this.#rest();
    this.role = 'leading';
    this.#post({ lead: true });
    this.#hooks.lead(); // the page may have closed the connection in that
    return new Promise(done => signal.aborted ? done(undefined) : signal.addEventListener('abort', done));
  }

  /** Asks the leader for what is after this tab's cursor. */
  #ask() {
    this.#rest();
    this.role = 'asking';
    this.#asking = setTimeout(() => this.#alone('no leader'), answerTime);
    this.#post({ ask: this.#id, cursor: this.#chain.cursor });
  }

  /** @param {State['reason']} [reason] */
  #alone(reason) {
    this.#rest();
    this.role = 'alone';
    this.#hooks.alone(reason);
  }

  /** @param {State} [state] */
  #follow(state) {
    this.#rest();
    this.role = 'following';
    this.#watch.touch();
    this.#hooks.follow(state);
  }

  /** @param {any} m */
  #hear(m) {
    if (this.role === 'leading' && m.ask) return this.#answer(m);
    // A new leader still hears what the old one had sent. It reads the same
    // from its own stream.
    if (this.role === 'none' || this.role === 'leading' || m.ask || m.to && m.to !== this.#id) return;
    if (this.following) this.#watch.touch();
    if (m.lead && this.role === 'asking') this.#ask(); // there was nobody to answer
    if (m.state && this.following) this.#hooks.follow(m.state);
    if (m.item) this.#pass([m.item]);
    if (m.to && (this.role === 'asking' || this.following)) this.#answered(m);
  }

  /**
   * Takes items of the leader's chain. One that fits shows that the tab can
   * follow, even if it is alone and ahead; one that does not fit, that it
   * cannot as it stands. Any callback may close the connection.
   * @param {Item[]} items
   */
  #pass(items) {
    for (const item of items) {
      if (this.role === 'none') return;
      const verdict = this.#chain.take(item);
      if (verdict === 'foreign') {
        if (this.following) this.#ask();
        return;
      }
      if (!this.following) this.#follow();
      if (this.following && verdict === 'new') this.#hooks.hand(item);
    }
    if (this.following) this.#hooks.settle();
  }

  /** @param {{ask: string, cursor: string}} m */
  #answer({ ask, cursor }) {
    this.#hooks.prod();
    const state = this.#hooks.state();
    // While the leader catches up, its place is not yet now.
    const now = state.status === 'open' && (!state.resumed || Date.now() - this.#opened > 2000);
    const early = this.#chain.cursor && !beginOf(this.#start) && !now;
    const answer = cursor ? { items: this.#chain.after(cursor) }
      : early || this.tables && this.#chain.cursor ? {} : { begin: this.#chain.begin(this.#start), cursor: this.#chain.cursor };
    this.#post({ to: ask, ...answer, state, tables: this.tables });
  }

  /** @param {{items?: Item[], begin?: Kept[], cursor: string, state: State, tables?: boolean}} m */
  #answered({ items, begin, cursor, state, tables }) {
    this.tables ||= !!tables;
    if (items) {
      this.#follow(state);
      return this.#pass(items);
    }
    if (this.following) return; // something that fitted came first
    if (!begin || this.#chain.cursor) return this.#alone();
    this.#follow(state);
    if (!cursor) return; // the leader has not begun either
    this.#chain.adopt(begin, cursor);
    for (const item of begin) if (this.following) this.#hooks.hand({ ...item, before: '' });
    if (this.following) this.#hooks.settle();
  }
}

// ---- addresses ----

/**
 * The name of the group that a connection belongs to; '' if it is for itself.
 * @param {URL} url @param {string[]} topics @param {Options} options
 */
function groupName(url, topics, { share, token, start }) {
  const name = share ?? !token;
  // Both are there in secure contexts only.
  if (!name || !('locks' in navigator) || !('BroadcastChannel' in globalThis)) return '';
  return `tickertape 1 ${JSON.stringify([name, url.href, [...topics].sort(), beginOf(start)])}`;
}

/** @param {URL} url @param {string[]} topics @param {string} cursor @param {Start} [start] @param {string} [token] */
function address(url, topics, cursor, start, token) {
  const whole = new URL(url);
  const query = whole.searchParams;
  for (const topic of topics) query.append('topic', topic);
  query.set('envelope', 'true');
  query.set('heartbeat', 'event');
  if (cursor) query.set('last_event_id', cursor);
  else if (start && 'last' in start) query.set('last', String(start.last));
  else if (start && 'since' in start) query.set('since', start.since);
  if (token !== undefined) query.set('access_token', token);
  return whole.href;
}

// ---- arguments ----

/** @param {string} url */
function eventsAt(url) {
  if (typeof url !== 'string') throw new TypeError('url is not a string');
  const base = new URL(url || '/', location.href);
  if (!/^https?:$/.test(base.protocol) || base.search || base.hash) throw new TypeError(`url ${url} is not a hub's base URL`);
  base.pathname = base.pathname.replace(/\/*$/, '/events');
  return base;
}

/** @param {string[]} topics */
function checkTopics(topics) {
  const good = Array.isArray(topics) && topics.length > 0 && topics.every(t => typeof t === 'string' && t !== '');
  if (!good) throw new TypeError('topics is not a list of names, or empty');
  return [...new Set(topics)];
}

/** @param {Options} options */
function checkOptions(options) {
  if (typeof options !== 'object' || options === null) throw new TypeError('options is not an object');
  const { onEvent, onGap, onEnd, onState, token, parse, remember, share, start, ...unknown } = options;
  if (Object.keys(unknown).length > 0) throw new TypeError(`there is no option ${Object.keys(unknown)[0]}`);
  for (const [name, f] of Object.entries({ onEvent, onGap, onEnd, onState, token, parse })) {
    if (f !== undefined && typeof f !== 'function') throw new TypeError(`${name} is not a function`);
  }
  if (remember !== undefined && (typeof remember !== 'string' || !remember)) throw new TypeError('remember is not a name');
  if (share !== undefined && typeof share !== 'boolean' && (typeof share !== 'string' || !share)) {
    throw new TypeError('share is neither true, false nor a name');
  }
  if (share === true && token) throw new TypeError('share needs a name where there is a token: other users must not be in the group');
  if (start !== undefined) checkStart(start);
  return { ...options };
}

/** @param {any} start */
function checkStart(start) {
  const [[name, value] = [], ...more] = Object.entries(start ?? {});
  const good = more.length === 0 && (name === 'last' ? Number.isInteger(value) && value > 0
    : (name === 'since' || name === 'cursor') && typeof value === 'string' && value !== '');
  if (!good) throw new TypeError('start is none of {last: 10}, {since: "10m"}, {since: "all"} and {cursor: "…"}');
}
