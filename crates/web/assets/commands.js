// Commands with their keys: one table for the keyboard, the palette and the help.

import { h } from './dom.js';
import { dialog, picker } from './dialogs.js';

export class Commands {
  constructor() {
    this.all = [];
    this.before = '';
    addEventListener('keydown', (event) => this.pressed(event));
  }

  add(group, entries) { for (const [keys, text, run, options] of entries) this.all.push({ group, keys: [keys].flat().filter(Boolean), text, run, ...options }); }

  pressed(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); if (!document.querySelector('dialog[open]')) this.palette(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest('input, textarea, select, [contenteditable], dialog, .menu')) return;
    const key = event.key === ' ' ? 'Space' : event.key;
    const both = this.before ? `${this.before} ${key}` : key;
    clearTimeout(this.wait);
    this.before = '';
    const command = this.all.find((one) => one.keys.includes(both)) ?? this.all.find((one) => one.keys.includes(key));
    if (command) {
      // A focused button is pressed by Enter, not the row under the cursor.
      if (key === 'Enter' && event.target.closest('button, a, [role=button]')) return;
      event.preventDefault();
      command.run();
    } else if (key === 'g' || key === '*') { this.before = key; this.wait = setTimeout(() => { this.before = ''; }, 1500); }
  }

  palette(more = []) {
    const entries = [...this.all.filter((one) => one.text && !one.hidden).map((one) => ({ text: one.text, key: one.keys[0], icon: one.icon, run: one.run })), ...more, ...(this.places?.() ?? [])];
    picker('What next?', 'Type a command or a folder', entries);
  }

  help() {
    const groups = [...new Set(this.all.map((one) => one.group))];
    dialog('Keys', h('div', { class: 'key-groups' }, groups.map((group) => h('section', {}, h('h3', {}, group),
      h('dl', { class: 'keys' }, this.all.filter((one) => one.group === group && one.keys.length).map((one) => [h('dt', {}, one.keys.map((key) => h('kbd', {}, key))), h('dd', {}, one.text)]))))), { wide: true });
  }
}
