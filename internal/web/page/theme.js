// Light or dark: what the system prefers, until the reader chooses.

import { $, stored } from './dom.js';

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

function show(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  $('theme').setAttribute('aria-pressed', String(isDark()));
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : prefersDark.matches;
}

$('theme').addEventListener('click', () => {
  const theme = isDark() ? 'light' : 'dark';
  stored.set('theme', theme);
  show(theme);
});

prefersDark.addEventListener('change', () => show());
show(stored.get('theme'));
