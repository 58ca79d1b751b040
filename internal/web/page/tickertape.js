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
 * What goes on. resumed: whether the stream went on from a cursor. wait: ms
 * until the next try, where the module decides that and not the browser.
 * shared: other tabs of the origin use, or may use, the same connection.
 * leader: it is this tab's. reason: why it is not open, or was opened anew.
 * @typedef {{status: 'connecting'|'open'|'waiting'|'closed', resumed?: boolean, wait?: number,
 *   shared: boolean, leader: boolean, reason?: 'cut'|'refused'|'silence'|'wake'|'token'|'no leader'}} State
 */
/** @typedef {{last: number} | {since: string} | {cursor: string}} Start */
/**
 * @typedef {object} Options
 * @property {(e: TickerEvent) => void} [onEvent]
 * @property {(g: Gap) => void} [onGap]
 * @property {(s: State) => void} [onState]
 * @property {Start} [start] where to begin; default: from now on
 * @property {string} [remember] keep the cursor over reloads of this tab under this name; it wins over start
 * @property {boolean|string} [share] one connection for all tabs that ask for the same; a name makes a group of its own.
 *   Default: true, but false where there is a token
 * @property {() => string|Promise<string>} [token] asked before each connection; sent as the query access_token
 * @property {(text: string) => any} [parse] reads an envelope; default: JSON.parse
 */
/** @typedef {{readonly cursor: string, readonly state: State, readonly topics: string[], close(): void}} Connection */

const types = ['message', 'hub.gap', 'hub.open', 'hub.heartbeat', 'hub.cursor'];
const heartbeat = 20_000; // ms; the hub's are 12 to 18 s apart
const silence = 45_000; // ms without any event, after which a connection counts as dead
const longestWait = 20_000; // ms, ± 50 %

/**
 * Listens to topics of a hub. Throws a TypeError if an argument is wrong.
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

class Client {
  /** @type {URL} */ #url;
  /** @type {string[]} */ #topics;
  /** @type {Options} */ #options;
  cursor = '';
  /** @type {State} */ state = { status: 'connecting', shared: false, leader: false };
  /** @type {EventSource|null} */ #source = null;
  /** what the newest try is known by @type {object|null} */ #try = null;
  #tries = 0; // since the stream was last open
  #seen = 0; // when the last sign of life came; Date.now(), which goes on while the machine sleeps
  #tried = 0; // when the newest EventSource was made
  #away = false; // between pagehide and pageshow
  /** @type {Record<'retry'|'watch'|'save', number>} */ #timers = { retry: 0, watch: 0, save: 0 };
  #listening = new AbortController();

  /** @param {URL} url @param {string[]} topics @param {Options} options */
  constructor(url, topics, options) {
    this.#url = url;
    this.#topics = topics;
    this.#options = options;
    this.cursor = this.#remembered() || (options.start && 'cursor' in options.start ? options.start.cursor : '');
    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#wake(), { signal });
    addEventListener('online', () => this.#wake(), { signal });
    addEventListener('pageshow', () => this.#return(), { signal });
    addEventListener('pagehide', () => this.#leave(), { signal });
    // Callbacks are never called before connect has returned.
    queueMicrotask(() => this.#begin());
  }

  close() {
    if (this.state.status === 'closed') return;
    this.#listening.abort();
    this.#shut();
    clearTimeout(this.#timers.watch);
    this.#save();
    this.#tell({ status: 'closed' });
  }

  #begin() {
    if (this.state.status === 'closed') return;
    this.#call(this.#options.onState, this.state);
    if (this.state.status === 'connecting') this.#open();
  }

  // ---- the tab's own EventSource ----

  /**
   * Makes a new EventSource in place of the one that there may be.
   * @param {State['reason']} [reason]
   */
  async #open(reason) {
    this.#shut();
    const mine = this.#try = {};
    this.#touch(); // bounds the time of the token's function too
    this.#tell({ status: 'connecting', reason });
    let token;
    try {
      token = await this.#options.token?.();
    } catch (error) {
      reportError(error);
      if (mine === this.#try) this.#retry('token');
      return;
    }
    if (mine !== this.#try) return; // closed or opened anew meanwhile
    const source = this.#source = new EventSource(this.#address(token));
    this.#tried = Date.now();
    for (const name of types) source.addEventListener(name, e => source === this.#source && this.#read(name, e));
    source.onerror = () => source === this.#source && this.#lost(source);
  }

  /** @param {string} [token] */
  #address(token) {
    const address = new URL(this.#url);
    const query = address.searchParams;
    for (const topic of this.#topics) query.append('topic', topic);
    query.set('envelope', 'true');
    query.set('heartbeat', 'event');
    const { start } = this.#options;
    if (this.cursor) query.set('last_event_id', this.cursor);
    else if (start && 'last' in start) query.set('last', String(start.last));
    else if (start && 'since' in start) query.set('since', start.since);
    if (token !== undefined) query.set('access_token', token);
    return address.href;
  }

  #shut() {
    this.#try = null;
    clearTimeout(this.#timers.retry);
    this.#timers.retry = 0;
    this.#source?.close();
    this.#source = null;
  }

  /**
   * The browser comes back by itself to what the hub or the network cut off,
   * with its newest cursor and after the time that the hub has told it. It
   * gives up after a final answer; and it would come back with the old token.
   * @param {EventSource} source
   */
  #lost(source) {
    this.#touch();
    if (source.readyState === EventSource.CLOSED) this.#retry('refused');
    else if (this.#options.token) this.#retry('cut');
    else this.#tell({ status: 'waiting', reason: 'cut' });
  }

  /** @param {State['reason']} reason */
  #retry(reason) {
    this.#shut();
    const wait = Math.round(Math.min(longestWait, 1000 * 2 ** this.#tries++) * (0.5 + Math.random()));
    this.#timers.retry = setTimeout(() => this.#open(reason), wait);
    this.#tell({ status: 'waiting', wait, reason });
  }

  /** @param {string} name @param {MessageEvent} e */
  #read(name, e) {
    this.#touch();
    // An event without an id of its own has the one before it.
    if (e.lastEventId) this.cursor = e.lastEventId;
    this.#saveSoon();
    switch (name) {
      case 'message': return this.#hand(this.#options.onEvent, e.data);
      case 'hub.gap': return this.#hand(this.#options.onGap, e.data);
      case 'hub.open':
        this.#tries = 0;
        this.#tell({ status: 'open', resumed: JSON.parse(e.data).resumed });
    }
  }

  // ---- signs of life ----

  #touch() {
    this.#seen = Date.now();
    if (!this.#timers.watch) this.#watch();
  }

  #watch() {
    this.#seen = Math.min(this.#seen, Date.now()); // somebody may have set the clock
    const left = this.#seen + silence - Date.now();
    if (left <= 0) this.#open('silence');
    this.#timers.watch = setTimeout(() => this.#watch(), left > 0 ? left : silence);
  }

  /** Goes on at once after a sleep, in which timers and sockets stood still. */
  #wake() {
    if (this.state.status === 'closed' || this.#away) return;
    const waiting = this.#timers.retry || this.#source?.readyState === EventSource.CONNECTING && Date.now() - this.#tried > 2000;
    if (waiting || Date.now() - this.#seen > heartbeat) this.#open('wake');
  }

  /** A page with an open stream could not be kept for the way back. */
  #leave() {
    this.#away = true;
    this.#shut();
    clearTimeout(this.#timers.watch);
    this.#timers.watch = 0;
    this.#save();
  }

  #return() {
    if (!this.#away) return;
    this.#away = false;
    this.#open('wake');
  }

  // ---- the cursor over reloads ----

  #remembered() {
    try {
      return this.#options.remember && sessionStorage.getItem(this.#memory()) || '';
    } catch {
      return ''; // no storage in this page
    }
  }

  #saveSoon() {
    if (this.#options.remember && !this.#timers.save) this.#timers.save = setTimeout(() => this.#save(), 1000);
  }

  #save() {
    clearTimeout(this.#timers.save);
    this.#timers.save = 0;
    if (!this.#options.remember || !this.cursor) return;
    try {
      sessionStorage.setItem(this.#memory(), this.cursor);
    } catch { /* full, or no storage: forgotten on reload */ }
  }

  #memory() { return `tickertape:${this.#options.remember}`; }

  // ---- callbacks ----

  /** @param {Partial<State>} change */
  #tell(change) {
    /** @type {State} */ const state = { status: 'connecting', shared: false, leader: false, ...change };
    for (const key of /** @type {(keyof State)[]} */ (Object.keys(state))) if (state[key] === undefined) delete state[key];
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.#call(this.#options.onState, state);
  }

  /** @param {((x: any) => void)|undefined} callback @param {string} text */
  #hand(callback, text) {
    try {
      const value = (this.#options.parse ?? JSON.parse)(text);
      value.cursor = this.cursor;
      callback?.(value);
    } catch (error) {
      reportError(error);
    }
  }

  /** @template T @param {((x: T) => void)|undefined} callback @param {T} value */
  #call(callback, value) {
    try {
      callback?.(value);
    } catch (error) {
      reportError(error);
    }
  }
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
  const { onEvent, onGap, onState, token, parse, remember, share, start } = options;
  for (const [name, f] of Object.entries({ onEvent, onGap, onState, token, parse })) {
    if (f !== undefined && typeof f !== 'function') throw new TypeError(`${name} is not a function`);
  }
  if (remember !== undefined && (typeof remember !== 'string' || !remember)) throw new TypeError('remember is not a name');
  if (share !== undefined && typeof share !== 'boolean' && (typeof share !== 'string' || !share)) {
    throw new TypeError('share is neither true, false nor a name');
  }
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
