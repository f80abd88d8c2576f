// A list of any length: only the rows in sight exist.

import { avatar, fill, fullTime, h, shortTime, shown } from './dom.js';
import { icon } from './icons.js';
import { api } from './api.js';

const PAGE = 100;

export class ConversationList {
  constructor({ opened, toggled, empty }) {
    this.opened = opened;
    this.toggled = toggled;
    this.empty = empty;
    this.pages = new Map();
    this.asked = new Set();
    this.drawn = new Map();
    this.selected = new Map();
    this.total = 0;
    this.cursor = -1;
    this.turn = 0;
    this.space = h('div', { class: 'space', role: 'presentation' });
    this.element = h('div', {
      class: 'rows', role: 'listbox', tabindex: '0', id: 'rows', 'aria-label': 'Conversations', 'aria-multiselectable': 'true',
      onscroll: () => this.plan(), onclick: (event) => this.clicked(event), ondblclick: (event) => event.preventDefault(),
    }, this.space);
    this.note = h('div', { class: 'empty', hidden: true });
    this.box = h('div', { class: 'list-box' }, this.element, this.note);
    new ResizeObserver(() => this.plan()).observe(this.element);
  }

  get rowHeight() { return this.height ??= parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 72; }

  async show(query) {
    this.turn += 1;
    this.query = query;
    this.pages.clear();
    this.asked.clear();
    this.selected.clear();
    this.cursor = -1;
    this.open = null;
    this.element.scrollTop = 0;
    this.note.hidden = true;
    this.clear();
    await this.load(0);
  }

  // Reads again what is in sight and keeps the place; rows stay until the new ones are there.
  async refresh() {
    this.turn += 1;
    this.asked.clear();
    const held = this.at(this.cursor)?.key;
    const [first, last] = this.sight();
    const wanted = new Set([Math.floor(first / PAGE), Math.floor(Math.max(first, last - 1) / PAGE)]);
    for (const page of [...this.pages.keys()]) if (!wanted.has(page)) this.pages.delete(page);
    await Promise.all([...wanted].map((page) => this.load(page)));
    if (held) {
      const index = this.indexOf(held);
      if (index >= 0) this.cursor = index;
      else this.cursor = Math.min(this.cursor, this.total - 1);
    }
    this.draw();
  }

  async load(page) {
    if (this.asked.has(page)) return;
    this.asked.add(page);
    const turn = this.turn;
    let answer;
    try {
      answer = await api.conversations({ ...this.query, skip: page * PAGE, limit: PAGE });
    } catch (error) {
      if (turn === this.turn) { this.asked.delete(page); this.say(error.message); }
      return;
    }
    if (turn !== this.turn) return;
    this.total = answer.total;
    this.pages.set(page, answer.rows);
    this.space.style.height = `${this.total * this.rowHeight}px`;
    this.box.closest('.list')?.style.setProperty('--loaded', '1');
    if (this.total === 0) this.say(null);
    else this.note.hidden = true;
    this.draw();
    this.changed?.();
  }

  say(text) {
    fill(this.note, text === null ? this.empty(this.query) : h('p', {}, text));
    this.note.hidden = false;
  }

  at(index) { return index < 0 ? undefined : this.pages.get(Math.floor(index / PAGE))?.[index % PAGE]; }

  indexOf(key) {
    for (const [page, rows] of this.pages) {
      const index = rows.findIndex((row) => row.key === key);
      if (index >= 0) return page * PAGE + index;
    }
    return -1;
  }

  sight() {
    const top = this.element.scrollTop;
    const first = Math.max(0, Math.floor(top / this.rowHeight) - 6);
    const last = Math.min(this.total, Math.ceil((top + this.element.clientHeight) / this.rowHeight) + 6);
    return [first, Math.max(first, last)];
  }

  plan() { this.frame ??= requestAnimationFrame(() => { this.frame = undefined; this.draw(); }); }

  clear() { for (const element of this.drawn.values()) element.remove(); this.drawn.clear(); }

  draw() {
    const [first, last] = this.sight();
    for (const [index, element] of this.drawn) if (index < first || index >= last) { element.remove(); this.drawn.delete(index); }
    for (let index = first; index < last; index += 1) {
      const row = this.at(index);
      if (!row) {
        clearTimeout(this.waiting);
        // Whoever scrolls through thousands wants none of those in between.
        this.waiting = setTimeout(() => { const [from, to] = this.sight(); for (let page = Math.floor(from / PAGE); page * PAGE < to; page += 1) this.load(page); }, 60);
      }
      const mark = row ? `${row.key} ${row.time} ${row.unread} ${row.is_flagged} ${row.messages} ${row.labels} ${row.has_draft} ${row.snippet} ${row.snoozed_until} ${row.is_muted}` : '';
      const before = this.drawn.get(index);
      if (before && before.mark === mark) { this.adorn(before, index, row); continue; }
      const element = row ? this.row(row) : h('div', { class: 'row blank', role: 'option', 'aria-label': 'Loading' });
      element.mark = mark;
      element.style.top = `${index * this.rowHeight}px`;
      element.id = `row-${index}`;
      element.dataset.index = index;
      element.setAttribute('aria-posinset', index + 1);
      element.setAttribute('aria-setsize', this.total);
      this.adorn(element, index, row);
      if (before) before.replaceWith(element); else this.space.append(element);
      this.drawn.set(index, element);
    }
    if (this.cursor >= 0 && this.drawn.has(this.cursor)) this.element.setAttribute('aria-activedescendant', `row-${this.cursor}`);
    else this.element.removeAttribute('aria-activedescendant');
  }

  adorn(element, index, row) {
    element.classList.toggle('cursor', index === this.cursor);
    element.classList.toggle('open', Boolean(row) && row.key === this.open);
    element.classList.toggle('selected', Boolean(row) && this.selected.has(row.key));
    element.setAttribute('aria-selected', String(Boolean(row) && (this.selected.has(row.key) || row.key === this.open)));
  }

  row(row) {
    const people = row.people.length ? row.people : [{ name: 'Nobody', address: '' }];
    const names = people.map((person, index) => [
      index ? ', ' : '',
      h('span', { class: person.unread ? 'unread-name' : '' }, person.me ? 'me' : people.length > 2 ? shown(person).split(' ')[0] : shown(person)),
    ]);
    const others = people.find((person) => !person.me) ?? people[0];
    const marks = [
      row.snoozed_until && h('span', { class: 'mark', title: `Comes back ${fullTime(row.snoozed_until)}` }, icon('clock', 'Snoozed')),
      row.is_muted && icon('mute', 'Muted'),
      row.has_attachment && icon('clip', 'Attachment'),
      row.is_answered && icon('reply', 'Answered'),
      row.is_flagged && h('span', { class: 'flagged' }, icon('flag', 'Flagged')),
    ];
    const face = avatar(others);
    face.classList.add('pick');
    return h('div', { class: `row${row.unread ? ' unread' : ''}`, role: 'option' },
      face,
      h('div', { class: 'row-text' },
        h('div', { class: 'line' },
          h('span', { class: 'people', dir: 'auto' }, names, row.has_draft && h('span', { class: 'draft-word' }, people.length ? ', draft' : 'Draft')),
          row.messages > 1 && h('span', { class: 'count' }, row.messages),
          h('span', { class: 'marks' }, marks),
          h('time', { datetime: row.time, title: fullTime(row.time) }, shortTime(row.time))),
        h('div', { class: 'line' },
          h('span', { class: 'subject', dir: 'auto' }, row.subject || '(no subject)'),
          row.labels.slice(0, 3).map((label) => h('span', { class: 'label' }, label))),
        h('div', { class: 'snippet', dir: 'auto' }, row.snippet)));
  }

  clicked(event) {
    const element = event.target.closest('.row');
    if (!element) return;
    const index = Number(element.dataset.index);
    const row = this.at(index);
    if (!row) return;
    const wasAt = this.cursor;
    this.cursor = index;
    if (event.shiftKey && wasAt >= 0) {
      for (let at = Math.min(wasAt, index); at <= Math.max(wasAt, index); at += 1) { const between = this.at(at); if (between) this.selected.set(between.key, between); }
      this.toggled();
    } else if (event.ctrlKey || event.metaKey || event.target.closest('.pick')) this.toggle(index);
    else this.opened(row, index);
    this.draw();
  }

  toggle(index = this.cursor) {
    const row = this.at(index);
    if (!row) return;
    if (this.selected.has(row.key)) this.selected.delete(row.key); else this.selected.set(row.key, row);
    this.toggled();
    this.draw();
  }

  selectAll() {
    for (const rows of this.pages.values()) for (const row of rows) this.selected.set(row.key, row);
    this.toggled();
    this.draw();
  }

  clearSelection() { if (this.selected.size) { this.selected.clear(); this.toggled(); this.draw(); } }

  move(step) {
    if (!this.total) return undefined;
    this.cursor = Math.max(0, Math.min(this.total - 1, this.cursor < 0 ? (step > 0 ? 0 : this.total - 1) : this.cursor + step));
    this.reveal();
    this.draw();
    return this.at(this.cursor);
  }

  reveal() {
    const top = this.cursor * this.rowHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) this.element.scrollTop = top + this.rowHeight - clientHeight;
  }

  mark(key) { this.open = key; const index = this.indexOf(key); if (index >= 0) this.cursor = index; this.draw(); }

  // Takes rows away before the server has said so; a refresh puts right what was wrong.
  drop(keys) {
    const gone = new Set(keys);
    const rows = [];
    const known = [...this.pages.keys()].sort((a, b) => a - b);
    const together = known.length && known.every((page, index) => page === known[0] + index);
    if (!together) return;
    for (const page of known) rows.push(...this.pages.get(page).filter((row) => !gone.has(row.key)));
    const start = known[0] * PAGE;
    const removed = known.reduce((sum, page) => sum + this.pages.get(page).length, 0) - rows.length;
    this.pages.clear();
    for (let at = 0; at < rows.length; at += PAGE) this.pages.set((start + at) / PAGE, rows.slice(at, at + PAGE));
    this.total -= removed;
    this.space.style.height = `${this.total * this.rowHeight}px`;
    for (const key of gone) this.selected.delete(key);
    this.cursor = Math.min(this.cursor, this.total - 1);
    if (this.total === 0) this.say(null);
    this.draw();
  }
}
