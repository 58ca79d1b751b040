// The page's language: elements that show a text of the dictionary show it in
// the other language as soon as that is chosen.

import { texts } from './texts.js';
import { $, stored } from './dom.js';

const chosen = stored.get('language');
export let language = Object.hasOwn(texts, chosen) ? chosen : navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';

const values = new WeakMap(); // element → what its text has in place of {names}

// words returns a text of the dictionary.
export function words(key, filled = {}) {
  return (texts[language][key] ?? '').replace(/\{(\w+)\}/g, (_, name) => filled[name] ?? '');
}

// say makes the element show a text, in every language from now on; key ""
// empties it.
export function say(element, key, filled) {
  if (filled) values.set(element, filled);
  else values.delete(element);
  element.dataset.text = key;
  const text = words(key, filled);
  if (element.textContent !== text) element.textContent = text;
}

// label names an element that shows no text, to readers and on hovering.
export function label(element, key) {
  element.dataset.label = key;
  const text = words(key);
  element.setAttribute('aria-label', text);
  if (element.matches('button')) element.title = text;
}

export const count = n => n.toLocaleString(language);

function translate() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) say(element, element.dataset.text, values.get(element));
  for (const element of document.querySelectorAll('[data-label]')) label(element, element.dataset.label);
  for (const element of document.querySelectorAll('[data-title]')) element.title = words(element.dataset.title);
  for (const element of document.querySelectorAll('[data-hint]')) element.placeholder = words(element.dataset.hint);
}

$('language').addEventListener('click', () => {
  language = language === 'zh' ? 'en' : 'zh';
  stored.set('language', language);
  translate();
});

translate();
