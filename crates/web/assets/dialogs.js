// Toasts, menus and small windows.

import { fill, h, soonTime } from './dom.js';
import { icon } from './icons.js';

const toasts = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });
document.body.append(toasts);

// Says something for a while; `undo` is a way back that stays on offer as long.
export function toast(text, { undo, seconds = undo ? 8 : 5, wrong = false } = {}) {
  const close = () => { clearTimeout(timer); element.remove(); if (latest === element) latest = undefined; };
  const element = h('div', { class: wrong ? 'toast wrong' : 'toast' },
    h('span', {}, text),
    undo && h('button', { class: 'toast-undo', onclick: () => { close(); undo(); } }, 'Undo', h('kbd', {}, 'z')),
    h('button', { class: 'plain', 'aria-label': 'Close', onclick: close }, icon('close')));
  let timer = setTimeout(close, seconds * 1000);
  element.addEventListener('pointerenter', () => clearTimeout(timer));
  element.addEventListener('pointerleave', () => { timer = setTimeout(close, 3000); });
  element.undo = undo && (() => { close(); undo(); });
  toasts.append(element);
  while (toasts.children.length > 3) toasts.firstChild.remove();
  latest = undo ? element : latest;
  return close;
}
let latest;
export const undoLatest = () => { if (latest?.isConnected && latest.undo) { latest.undo(); return true; } return false; };
export const failed = (error) => toast(error.message ?? String(error), { wrong: true, seconds: 9 });

// A modal window; closes by Escape, by its button or by a click beside it.
export function dialog(title, content, { wide = false, closed } = {}) {
  const element = h('dialog', { class: wide ? 'window wide' : 'window', 'aria-label': title },
    h('header', {}, h('h2', {}, title), h('button', { class: 'plain icon-button', 'aria-label': 'Close', onclick: () => element.close() }, icon('close'))),
    h('div', { class: 'window-body' }, content));
  element.addEventListener('click', (event) => { if (event.target === element) element.close(); });
  element.addEventListener('close', () => { element.remove(); closed?.(); });
  document.body.append(element);
  element.showModal();
  return element;
}

export function confirmed(title, text, yes = 'Yes') {
  return new Promise((resolve) => {
    let answer = false;
    const window = dialog(title, [h('p', {}, text), h('div', { class: 'buttons' },
      h('button', { class: 'main', autofocus: true, onclick: () => { answer = true; window.close(); } }, yes),
      h('button', { onclick: () => window.close() }, 'Cancel'))], { closed: () => resolve(answer) });
  });
}

// A menu below its button. `entries`: { text, icon, key, run, separated }.
export function menu(button, entries) {
  document.querySelector('.menu')?.hidePopover();
  const element = h('div', { class: 'menu', role: 'menu', popover: 'auto' }, entries.filter(Boolean).map((entry) =>
    h('button', { role: 'menuitem', class: entry.separated ? 'separated' : '', onclick: () => { element.hidePopover(); entry.run(); } },
      entry.icon ? icon(entry.icon) : h('span', { class: 'icon' }), h('span', { class: 'grow' }, entry.text), entry.key && h('kbd', {}, entry.key))));
  element.addEventListener('toggle', (event) => { if (event.newState === 'closed') { element.remove(); button.focus({ preventScroll: true }); } });
  element.addEventListener('keydown', (event) => {
    const buttons = [...element.querySelectorAll('button')];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  });
  document.body.append(element);
  element.showPopover();
  const at = button.getBoundingClientRect();
  const size = element.getBoundingClientRect();
  element.style.top = `${at.bottom + size.height > innerHeight ? Math.max(8, at.top - size.height - 4) : at.bottom + 4}px`;
  element.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  element.querySelector('button')?.focus();
}

// Picks one of many by typing. `entries`: { text, detail, icon, run }; `made` makes one of what is typed.
export function picker(title, placeholder, entries, made) {
  let at = 0;
  let found = [];
  const list = h('div', { class: 'choices', role: 'listbox', id: 'choices', 'aria-label': title });
  const input = h('input', { type: 'text', placeholder, 'aria-label': placeholder, role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'choices', autocomplete: 'off', spellcheck: 'false' });
  const run = (entry) => { window.close(); entry?.run(); };
  const draw = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = entries.filter((entry) => words.every((word) => `${entry.text} ${entry.detail ?? ''}`.toLowerCase().includes(word)));
    const typed = input.value.trim();
    if (made && typed && !entries.some((entry) => entry.text.toLowerCase() === typed.toLowerCase())) found.push(made(typed));
    at = Math.min(at, Math.max(0, found.length - 1));
    fill(list, found.map((entry, index) => h('div', {
      role: 'option', id: `choice-${index}`, class: index === at ? 'choice at' : 'choice', 'aria-selected': String(index === at), onclick: () => run(entry),
    }, icon(entry.icon ?? 'more'), h('span', { class: 'grow' }, entry.text), entry.detail && h('span', { class: 'faint' }, entry.detail), entry.key && h('kbd', {}, entry.key))),
    found.length === 0 && h('p', { class: 'faint' }, 'Nothing of that name.'));
    if (found.length) input.setAttribute('aria-activedescendant', `choice-${at}`); else input.removeAttribute('aria-activedescendant');
    list.children[at]?.scrollIntoView?.({ block: 'nearest' });
  };
  input.addEventListener('input', () => { at = 0; draw(); });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') { event.preventDefault(); at = Math.max(0, Math.min(found.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1))); draw(); }
    else if (event.key === 'Enter') { event.preventDefault(); run(found[at]); }
  });
  const window = dialog(title, [input, list]);
  window.classList.add('picker');
  draw();
  input.focus();
}

// When: a few usual times, or any.
export function pickTime(title, chosen, { none } = {}) {
  const at = (days, hour) => { const date = new Date(); date.setDate(date.getDate() + days); date.setHours(hour, 0, 0, 0); return date; };
  const now = new Date();
  const toDay = (wanted) => ((wanted - now.getDay() + 7) % 7) || 7;
  const inHours = new Date(now.getTime() + 3 * 3600e3);
  inHours.setMinutes(0, 0, 0);
  const usual = [
    ['In three hours', inHours], now.getHours() < 17 && ['This evening', at(0, 18)], ['Tomorrow morning', at(1, 8)],
    ['At the weekend', at(toDay(6), 9)], ['Next week', at(toDay(1), 8)],
  ].filter(Boolean);
  const input = h('input', { type: 'datetime-local', 'aria-label': 'Date and time' });
  const two = (number) => String(number).padStart(2, '0');
  const start = at(1, 8);
  input.value = `${start.getFullYear()}-${two(start.getMonth() + 1)}-${two(start.getDate())}T08:00`;
  const take = (date) => { window.close(); chosen(date); };
  const window = dialog(title, [
    h('div', { class: 'choices' }, usual.map(([text, date]) => h('button', { class: 'choice', onclick: () => take(date) }, icon('clock'), h('span', { class: 'grow' }, text), h('span', { class: 'faint' }, soonTime(date)))),
      none && h('button', { class: 'choice', onclick: () => take(null) }, icon('inbox'), none)),
    h('form', { class: 'inline', onsubmit: (event) => { event.preventDefault(); const date = new Date(input.value); if (date > new Date()) take(date); else toast('That time has passed.', { wrong: true }); } }, input, h('button', { class: 'main' }, 'Choose')),
  ]);
}

export function ask(title, label, value, done, button = 'Save') {
  const input = h('input', { type: 'text', value: value ?? '', 'aria-label': label, placeholder: label, maxlength: '200' });
  const window = dialog(title, h('form', { class: 'inline', onsubmit: (event) => { event.preventDefault(); const text = input.value.trim(); if (text) { window.close(); done(text); } } }, input, h('button', { class: 'main' }, button)));
  input.select();
}
