// A line of the last prices, with a soft ground under it.

import { draw } from './dom.js';

const [width, height, margin] = [120, 36, 3];

// sparkline returns an SVG element, and a function that shows prices in it.
// It is an ornament: the price and its change stand beside it as text.
export function sparkline() {
  const ground = draw('path', { class: 'ground' });
  const line = draw('polyline', { class: 'line' });
  const element = draw('svg', { class: 'sparkline', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none',
    'aria-hidden': 'true' }, ground, line);
  return { element, show(prices) {
    const points = pointsOf(prices);
    line.setAttribute('points', points.join(' '));
    ground.setAttribute('d', `M0,${height} L${points.join(' L')} L${width},${height} Z`);
  } };
}

// pointsOf spreads prices over the whole width and height; prices that are all
// the same make a line in the middle.
export function pointsOf(prices) {
  const low = Math.min(...prices);
  const span = Math.max(...prices) / 2 - low / 2; // the whole may be more than a number can be
  const list = prices.length > 1 ? prices : [prices[0], prices[0]];
  return list.map((price, i) => {
    const up = span > 0 ? (price / 2 - low / 2) / span : 0.5;
    return `${round(i * width / (list.length - 1))},${round(height - margin - up * (height - 2 * margin))}`;
  });
}

const round = n => Math.round(n * 100) / 100;
