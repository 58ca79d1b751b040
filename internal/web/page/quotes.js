// The quote tiles: one for each symbol, with the newest price, its change
// since the first one seen here, and a line of the last prices.

import { $, cut, draw, make, painter } from './dom.js';
import { say } from './text.js';
import { sparkline } from './sparkline.js';

const maxTiles = 60; // the one that has been quiet for longest makes room
const maxPrices = 60;

const tiles = new Map(); // symbol → tile, the longest quiet one first
const changed = new Set();
const still = matchMedia('(prefers-reduced-motion: reduce)');

// quoteOf reads a quote out of an event, or returns null.
export function quoteOf(event) {
  if (event.event !== 'quote' && !event.topic.startsWith('quotes.')) return null;
  const data = event.data;
  if (data === null || typeof data !== 'object') return null;
  const price = number(data.price);
  if (!price) return null;
  const symbol = [data.symbol, event.key, event.topic.replace(/^quotes\./, '')].find(s => typeof s === 'string' && s !== '');
  return { symbol: cut(symbol, 64), ...price };
}

// number returns a number's value and how many decimals it was written with.
// One that kept its digits knows more of them: 187.20 is 187.2 to JavaScript.
// Many feeds write prices as strings, to keep the digits.
function number(raw) {
  const digits = JSON.isRawJSON?.(raw) ? raw.rawJSON : typeof raw === 'object' ? '' : String(raw);
  const parts = /^-?\d+(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(digits);
  const value = Number(digits);
  if (!parts || !Number.isFinite(value)) return null;
  const [, fraction = '', exponent = 0] = parts;
  return { value, decimals: Math.max(0, Math.min(8, fraction.length - exponent)) };
}

// take shows the event if it is a quote.
export function take(event) {
  const quote = quoteOf(event);
  if (!quote) return;
  const tile = tiles.get(quote.symbol) ?? add(quote);
  tiles.delete(quote.symbol);
  tiles.set(quote.symbol, tile); // now the last one to make room
  tile.prices.push(quote.value);
  if (tile.prices.length > maxPrices) tile.prices.shift();
  // The last digit of a price may be a 0 that JavaScript does not keep.
  tile.decimals = Math.max(tile.decimals, quote.decimals);
  changed.add(tile);
  paint();
}

function add(quote) {
  const line = sparkline();
  const arrow = draw('svg', { class: 'arrow', viewBox: '0 0 10 10', 'aria-hidden': 'true' },
    draw('path', { d: 'M5 1.5 9.5 8.5H.5Z' }));
  const [price, change, sense] = [make('p', 'price'), make('span', 'amount'), make('span', 'unseen')];
  const element = make('li', 'tile', make('h3', 'symbol', quote.symbol), price, make('p', 'change', arrow, sense, ' ', change), line.element);
  const tile = { symbol: quote.symbol, element, line, price, change, sense, prices: [], first: quote.value, decimals: 2, shown: null };
  tiles.set(quote.symbol, tile);
  if (tiles.size > maxTiles) remove(tiles.values().next().value);
  return tile;
}

function remove(tile) {
  tiles.delete(tile.symbol);
  changed.delete(tile);
  tile.element.remove();
}

const paint = painter(() => {
  for (const tile of changed) show(tile);
  changed.clear();
  $('quotes').hidden = tiles.size === 0;
});

function show(tile) {
  const price = tile.prices.at(-1);
  const difference = price - tile.first;
  const way = Math.sign(Number(difference.toFixed(tile.decimals)));
  tile.price.textContent = price.toFixed(tile.decimals);
  tile.element.dataset.way = ['down', 'same', 'up'][way + 1];
  say(tile.sense, `quote.${tile.element.dataset.way}`);
  const share = tile.first === 0 ? '' : ` (${signed(difference / tile.first * 100, 2)}%)`;
  tile.change.textContent = signed(difference, tile.decimals) + share;
  tile.line.show(tile.prices);
  if (!tile.element.parentNode) place(tile);
  else if (price !== tile.shown) flash(tile, price > tile.shown);
  tile.shown = price;
}

const signed = (n, decimals) => (n < 0 ? '−' : '+') + Math.abs(n).toFixed(decimals);

// place puts a new tile among the others, in the order of their symbols.
function place(tile) {
  const after = [...$('tiles').children].find(e => e.querySelector('.symbol').textContent > tile.symbol);
  $('tiles').insertBefore(tile.element, after ?? null);
}

function flash(tile, up) {
  if (still.matches) return;
  const style = getComputedStyle(tile.element);
  tile.flashing?.cancel();
  tile.flashing = tile.element.animate({ backgroundColor: [style.getPropertyValue(up ? '--up-flash' : '--down-flash'), style.getPropertyValue('--card')] },
    { duration: 900, easing: 'ease-out' });
}
