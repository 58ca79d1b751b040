// Who the reader is to the hub: a token or an API key, asked for once the hub
// wants one. It is kept for this tab only, in its session storage: not in the
// page's address, which is passed on, nor in the local storage, where every
// tab, and whoever opens the page next week, would find it.

import { $, detailOf, hub, make } from './dom.js';
import { say } from './text.js';
import * as memory from './memory.js';

const name = `tickertape.access ${hub}`; // an origin may have several hubs, under paths

let kept = read(); // null: there never was one; '': the hub takes it no more
let changed = () => {};

function read() {
  try { return sessionStorage.getItem(name); } catch { return null; }
}

function keep(credential) {
  kept = credential;
  try { sessionStorage.setItem(name, credential); } catch { /* forgotten on reload */ }
  $('forget').hidden = false;
}

// credential returns what the reader signed in with, or ''.
export const credential = () => kept ?? '';

// onChange calls the function whenever the credential is another one.
export function onChange(call) { changed = call; }

// ask makes a request to the hub, for the reader. If the answer is that it
// takes a credential, or another one, the page asks for that.
export async function ask(path, options = {}) {
  const used = credential();
  const answer = await fetch(hub + path, signed(used, options));
  if (answer.status === 401) {
    const why = await detailOf(answer.clone());
    if (used === credential()) refused(used, why);
  }
  return answer;
}

function signed(used, options) {
  return used === '' ? options : { ...options, headers: { ...options.headers, Authorization: `Bearer ${used}` } };
}

// refused asks for a credential. One that is no good is dropped: without it
// the reader may still do what everybody may. Why it is none stands until the
// reader has another one.
function refused(used, why) {
  if (used !== '' || $('sign-in').hidden) tell(false, '', why);
  if ($('sign-in').hidden) {
    $('sign-in').hidden = false;
    // Who types elsewhere is not interrupted.
    if (document.activeElement === document.body) $('credential').focus({ preventScroll: true });
  }
  if (used === '') return;
  keep('');
  changed();
}

// tell says, in the page's words or the hub's, why there is something to do;
// wrong: with what the reader has entered.
function tell(wrong, key, detail = '') {
  const said = make('span');
  if (key) say(said, key);
  $('sign-in-why').classList.toggle('bad', wrong);
  $('sign-in-why').replaceChildren(key ? said : detail);
  $('credential').setAttribute('aria-invalid', String(wrong));
}

// check returns what is wrong with a credential, as tell takes it; null if the
// hub knows whose it is, whatever that one may do.
async function check(entered) {
  if (!/^[\x21-\x7e]+$/.test(entered)) return ['sign-in.odd'];
  try {
    const answer = await fetch(`${hub}/topics?limit=1`, signed(entered, { signal: AbortSignal.timeout(10_000) }));
    return answer.ok || answer.status === 403 ? null : ['', await detailOf(answer)];
  } catch {
    return ['sign-in.unreached'];
  }
}

$('sign-in').addEventListener('submit', async e => {
  e.preventDefault();
  const entered = $('credential').value.trim().replace(/^bearer\s+/i, ''); // as it stands in a header
  $('enter').disabled = true;
  const wrong = await check(entered);
  $('enter').disabled = false;
  if (wrong) {
    tell(true, ...wrong);
    $('credential').select();
    return;
  }
  $('credential').value = '';
  $('sign-in').hidden = true;
  document.querySelector('main').focus({ preventScroll: true }); // not lost with the field
  keep(entered);
  changed();
});

// What was seen with the credential goes with it.
$('forget').addEventListener('click', () => {
  memory.forget();
  try { sessionStorage.removeItem(name); } catch { /* nor is there anything */ }
  location.reload();
});

$('forget').hidden = kept === null;
