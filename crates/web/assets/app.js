// The webmail: folders, conversations, reading; what the keys do; what the server tells.

import { fill, h, later } from './dom.js';
import { icon } from './icons.js';
import { api, listen, me } from './api.js';
import { ConversationList } from './list.js';
import { Reader } from './reader.js';
import { Commands } from './commands.js';
import { ask, confirmed, failed, menu, picker, pickTime, toast, undoLatest } from './dialogs.js';

const state = { folders: [], labels: [], place: { folder: 'inbox' }, settings: { agent: {} } };
const commands = new Commands();

// Writing and settings are fetched when they are first wanted.
let composers;
async function composing() {
  if (!composers) {
    const { Composers } = await import('./compose.js');
    composers ??= new Composers({ sent: () => { refresh(); }, closed: () => { if (!document.querySelector('.composer')) list.element.focus({ preventScroll: true }); } });
    document.body.append(composers.element);
  }
  return composers;
}
const compose = {
  fresh: async (given) => (await composing()).fresh(given),
  answer: async (key, kind) => (await composing()).answer(key, kind),
  openDraft: async (key) => (await composing()).openDraft(key),
};

// What is done to mail.
const acts = {
  async change(change, { leave = false } = {}) {
    const keys = change.selection.conversations ?? [];
    if (leave && keys.length) {
      const wasOpen = keys.includes(reader.key);
      const next = wasOpen ? list.at(list.cursor + 1) ?? list.at(list.cursor - 1) : undefined;
      list.drop(keys);
      if (wasOpen) { if (isWide() && next && !keys.includes(next.key)) open(next.key, true); else closeReader(); }
    }
    list.clearSelection();
    try {
      const done = await api.change(change);
      const quiet = change.change === 'read';
      if (!quiet && done.messages) toast(done.text, { undo: done.undo && (() => acts.undo(done.undo)) });
      refresh();
    } catch (error) { failed(error); refresh(); }
  },
  async undo(key) { try { const done = await api.undo(key); toast(done.text || 'Undone.'); refresh(); } catch (error) { failed(error); } },
  async markRead(row) { row.is_read = true; try { await api.change({ change: 'read', selection: { messages: [row.key] }, read: true }); refresh(); } catch { /* It stays unread. */ } },
  unlabel(label) { acts.change({ change: 'label', selection: { conversations: [reader.key] }, add: [], remove: [label] }); },
  gone() { closeReader(); list.refresh(); },
};

const list = new ConversationList({
  opened: (row) => open(row.key),
  toggled: () => drawBar(),
  empty: (query) => {
    if (query.search) return [icon('search'), h('h2', {}, 'Nothing found'), h('p', {}, 'Try fewer words, or part of a word. “from:anna has:attachment after:2026-01-01” works, too.')];
    const texts = {
      inbox: ['All done', 'New mail appears here by itself. Press c to write something.'], drafts: ['No drafts', 'What you begin to write is saved here by itself.'],
      sent: ['Nothing sent yet', 'Press c to write your first message.'], archive: ['Nothing archived', 'Press e in the Inbox to put a conversation away.'],
      junk: ['No junk', 'Press ! on what you never want to see again.'], trash: ['Trash is empty', 'What you delete with # waits here.'],
    };
    const [title, text] = texts[query.folder] ?? ['Empty', 'Press v on a conversation to move it here.'];
    return [icon(query.folder in texts ? query.folder : 'folder'), h('h2', {}, title), h('p', {}, text)];
  },
});
list.changed = () => { if (reader.key) list.mark(reader.key); drawBar(); };
const reader = new Reader({ acts, compose });

// What a command is about: what is selected, else what is open, else the row under the cursor.
function meant() {
  if (list.selected.size) return [...list.selected.values()];
  if (reader.key) return [list.at(list.indexOf(reader.key)) ?? { key: reader.key, is_flagged: reader.view?.messages.some((row) => row.is_flagged), unread: 0, is_muted: reader.view?.is_muted, labels: [...new Set(reader.view?.messages.flatMap((row) => row.labels))] }];
  const row = list.at(list.cursor);
  return row ? [row] : [];
}
const within = () => (state.place.folder && !state.place.search ? state.place.folder : null);
function about(change, options) {
  const rows = meant();
  if (!rows.length) return;
  acts.change({ ...change, selection: { conversations: rows.map((row) => row.key), within: within() } }, options);
}
const move = (folder) => about({ change: 'move', folder }, { leave: within() !== folder });

function chooseFolder() {
  if (!meant().length) return;
  picker('Move to', 'Folder', state.folders.filter((folder) => folder.key !== within()).map((folder) => ({ text: folder.name, icon: folder.role ?? 'folder', run: () => move(folder.key) })),
    (name) => ({ text: `New folder “${name}”`, icon: 'folder', run: async () => { try { const { key } = await api.createFolder(name); await readFolders(); move(key); } catch (error) { failed(error); } } }));
}
function chooseLabel() {
  const rows = meant();
  if (!rows.length) return;
  const has = (label) => rows.every((row) => row.labels?.includes(label));
  const put = (label) => about(has(label) ? { change: 'label', add: [], remove: [label] } : { change: 'label', add: [label], remove: [] });
  picker('Label', 'Label', state.labels.map(({ name }) => ({ text: name, icon: has(name) ? 'check' : 'label', run: () => put(name) })), (name) => ({ text: `New label “${name}”`, icon: 'label', run: () => put(name) }));
}
function snooze() {
  if (!meant().length) return;
  const rows = meant();
  pickTime('Snooze until', (date) => acts.change({ change: 'snooze', selection: { conversations: rows.map((row) => row.key), within: within() }, until: date?.toISOString() ?? null }, { leave: Boolean(date) && within() === 'inbox' }), { none: rows.some((row) => row.snoozed_until) && 'Bring it back now' });
}
async function deleteForEver() {
  if (!meant().length || !['trash', 'junk', 'drafts'].includes(within())) { move('trash'); return; }
  if (await confirmed('Delete for ever?', 'This cannot be undone.', 'Delete')) about({ change: 'delete_for_ever' }, { leave: true });
}

// Places: the address names what is shown, so that the browser's back and forward work.
function pathOf(place, key) {
  const parts = place.search !== undefined ? ['search', place.search] : place.label ? ['label', place.label] : [place.folder];
  return `/mail/f/${[...parts, ...(key ? ['c', key] : [])].map(encodeURIComponent).join('/')}`;
}
function placeOf(path) {
  const parts = path.replace(/^\/mail\/?(f\/)?/, '').split('/').filter(Boolean).map(decodeURIComponent);
  const at = parts.indexOf('c', parts[0] === 'search' || parts[0] === 'label' ? 2 : 1);
  const key = at >= 0 ? parts[at + 1] : undefined;
  if (parts[0] === 'search') return { place: { search: parts[1] === 'c' && at === 1 ? '' : parts[1] ?? '' }, key };
  if (parts[0] === 'label') return { place: { label: parts[1] ?? '' }, key };
  return { place: { folder: parts[0] ?? 'inbox' }, key };
}
function queryOf(place) {
  if (place.search !== undefined) return { search: place.search };
  if (place.label) return { search: `label:"${place.label.replace(/"/g, '')}"` };
  return { folder: place.folder };
}
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

async function go(place, key, { replace = false } = {}) {
  const moved = !same(place, state.place) || !state.isShown;
  history[replace ? 'replaceState' : 'pushState']({}, '', pathOf(place, key));
  await arrive(place, key, moved);
}
async function arrive(place, key, moved = !same(place, state.place) || !state.isShown) {
  state.place = place;
  state.isShown = true;
  document.body.classList.remove('folders-open');
  searchInput.value = place.search ?? '';
  drawFolders();
  const waits = [];
  if (moved) waits.push(list.show(queryOf(place)));
  if (key) waits.push(showReader(key)); else hideReader();
  await Promise.all(waits);
  drawBar();
}
addEventListener('popstate', () => { const { place, key } = placeOf(location.pathname); arrive(place, key); });

function open(key, replace = false) {
  const row = list.at(list.indexOf(key));
  if (within() === 'drafts' && row?.has_draft && row.messages <= 1) {
    api.conversation(key).then((view) => { const draft = view.messages.find((message) => message.draft)?.draft; if (draft) compose.openDraft(draft); }, failed);
    return;
  }
  go(state.place, key, { replace: replace || Boolean(reader.key) });
}
async function showReader(key) {
  document.body.classList.add('reading');
  list.mark(key);
  await reader.open(key);
  drawBar();
}
function hideReader() { document.body.classList.remove('reading'); reader.close(); list.mark(null); }
function closeReader() {
  if (!reader.key) { list.clearSelection(); return; }
  if (isWide()) { history.pushState({}, '', pathOf(state.place)); hideReader(); drawBar(); list.element.focus({ preventScroll: true }); } else go(state.place).then(() => list.element.focus({ preventScroll: true }));
}
const isWide = () => matchMedia('(min-width: 700px)').matches;

function step(by) {
  const row = list.move(by);
  if (row && reader.key && row.key !== reader.key) open(row.key, true);
}

// What is read from the server.
async function readFolders() {
  try { [state.folders, state.labels] = await Promise.all([api.folders(), api.labels()]); } catch (error) { failed(error); return; }
  drawFolders();
}
const refresh = later(120, async () => {
  await Promise.all([readFolders(), list.refresh(), reader.key && reader.open(reader.key, { keep: true })]);
  drawBar();
});

// The panes.
const searchInput = h('input', { type: 'search', placeholder: 'Search mail', 'aria-label': 'Search mail', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search' });
const searchForm = h('form', { class: 'search', role: 'search', onsubmit: (event) => { event.preventDefault(); const text = searchInput.value.trim(); if (text) go({ search: text }).then(() => { list.element.focus(); list.move(1); }); else go({ folder: 'inbox' }); } }, icon('search'), searchInput);
searchInput.addEventListener('keydown', (event) => { if (event.key === 'Escape') { searchInput.value = ''; searchInput.blur(); list.element.focus(); if (state.place.search !== undefined) go({ folder: 'inbox' }); } });
const folderPane = h('nav', { class: 'folders', 'aria-label': 'Folders' });
const bar = h('div', { class: 'bar', role: 'toolbar', 'aria-label': 'Conversations' });
const readerBar = h('div', { class: 'bar reader-bar', role: 'toolbar', 'aria-label': 'Conversation' });
const tool = (name, text, key, run) => h('button', { class: 'plain icon-button', title: key ? `${text} (${key})` : text, 'aria-label': text, onclick: (event) => run(event.currentTarget) }, icon(name));

function drawFolders() {
  const link = (place, name, mark, count, strong) => h('a', { href: pathOf(place), class: same(place, state.place) ? 'place at' : 'place', 'aria-current': same(place, state.place) ? 'page' : null, onclick: (event) => { if (event.ctrlKey || event.metaKey || event.shiftKey) return; event.preventDefault(); go(place); } },
    icon(mark), h('span', { class: 'grow', dir: 'auto' }, name), count > 0 && h('span', { class: strong ? 'count strong' : 'count' }, count));
  const folder = (one) => {
    const depth = one.role ? 0 : one.name.split('/').length - 1;
    const element = link({ folder: one.key }, one.role ? one.name : one.name.split('/').at(-1), one.role ?? 'folder', one.role === 'drafts' ? one.messages : one.role === 'sent' || one.role === 'trash' ? 0 : one.unread, one.role !== 'drafts' && one.unread > 0);
    element.style.setProperty('--depth', depth);
    if (!one.role) element.addEventListener('contextmenu', (event) => { event.preventDefault(); folderMenu(element, one); });
    return element;
  };
  fill(folderPane,
    h('div', { class: 'brand' }, icon('inbox'), h('span', {}, 'Posta')),
    h('button', { class: 'main compose-button', title: 'Write (c)', onclick: () => compose.fresh() }, icon('compose'), 'Write'),
    h('div', { class: 'places' }, state.folders.filter((one) => one.role).map(folder),
      link({ search: 'is:snoozed' }, 'Snoozed', 'clock', 0), link({ search: 'is:flagged' }, 'Flagged', 'flag', 0)),
    h('div', { class: 'places' }, h('h2', {}, 'Folders', h('button', { class: 'plain icon-button', 'aria-label': 'New folder', title: 'New folder', onclick: () => ask('New folder', 'Name', '', async (name) => { try { await api.createFolder(name); await readFolders(); } catch (error) { failed(error); } }, 'Make') }, '+')),
      state.folders.filter((one) => !one.role).map(folder)),
    state.labels.length > 0 && h('div', { class: 'places' }, h('h2', {}, 'Labels'), state.labels.map(({ name }) => link({ label: name }, name, 'label', 0))),
    h('div', { class: 'places foot' },
      h('button', { class: 'place', onclick: (event) => personMenu(event.currentTarget) }, icon('gear'), h('span', { class: 'grow' }, me.name || me.address), icon('more'))));
  const inbox = state.folders.find((one) => one.key === 'inbox');
  document.title = `${inbox?.unread ? `(${inbox.unread}) ` : ''}${nameOfPlace()} · ${me.address}`;
}
const nameOfPlace = () => (state.place.search !== undefined ? `Search: ${state.place.search}` : state.place.label ?? state.folders.find((one) => one.key === state.place.folder)?.name ?? '');

function folderMenu(element, folder) {
  menu(element, [
    { text: 'Rename', icon: 'compose', run: () => ask('Rename the folder', 'Name', folder.name, async (name) => { try { await api.renameFolder(folder.key, name); await readFolders(); } catch (error) { failed(error); } }) },
    { text: 'Remove', icon: 'trash', run: async () => { try { await api.removeFolder(folder.key); await readFolders(); if (within() === folder.key) go({ folder: 'inbox' }); } catch (error) { failed(error); } } },
  ]);
}
async function openSettings(page) { (await import('./settings.js')).settings(state, page, async () => { composers?.forget(); await readSettings(); }); }
function personMenu(button) {
  menu(button, [
    { text: 'Settings', icon: 'gear', run: () => openSettings() }, { text: 'Password, second factor, programs', icon: 'key', run: () => { location.href = '/mail/security'; } },
    { text: 'Keys', icon: 'list', key: '?', run: () => commands.help() },
    'Notification' in window && Notification.permission === 'default' && { text: 'Tell me of new mail', icon: 'inbox', run: () => Notification.requestPermission() },
    { text: 'Log out', icon: 'back', separated: true, run: logOut },
  ]);
}
function logOut() {
  const form = h('form', { method: 'post', action: '/mail/logout' }, h('input', { type: 'hidden', name: 'csrf', value: document.querySelector('meta[name=csrf]').content }));
  document.body.append(form);
  form.submit();
}

function actions(button) {
  const rows = meant();
  const flagged = rows.some((row) => row.is_flagged);
  menu(button, [
    { text: 'Move to…', icon: 'folder', key: 'v', run: chooseFolder }, { text: 'Label…', icon: 'label', key: 'l', run: chooseLabel }, { text: 'Snooze…', icon: 'clock', key: 'b', run: snooze },
    { text: flagged ? 'Take the flag off' : 'Flag', icon: 'flag', key: 's', run: () => about({ change: 'flag', flagged: !flagged }) },
    { text: 'Mark read', icon: 'check', key: 'I', run: () => about({ change: 'read', read: true }) }, { text: 'Mark unread', icon: 'unread', key: 'U', run: markUnread },
    { text: rows.some((row) => row.is_muted) ? 'No longer mute' : 'Mute', icon: 'mute', key: 'm', run: mute }, { text: 'Junk', icon: 'junk', key: '!', run: () => move('junk') },
    ['trash', 'junk', 'drafts'].includes(within()) && { text: 'Delete for ever', icon: 'trash', separated: true, run: deleteForEver },
  ]);
}
function markUnread() { about({ change: 'read', read: false }); if (reader.key) closeReader(); }
function mute() { const rows = meant(); if (rows.length) about({ change: 'mute', muted: !rows.some((row) => row.is_muted) }); }
const tools = () => [tool('archive', 'Archive', 'e', () => move('archive')), tool('trash', within() === 'trash' ? 'Delete for ever' : 'Trash', '#', deleteForEver), tool('clock', 'Snooze', 'b', snooze), tool('folder', 'Move to', 'v', chooseFolder), tool('label', 'Label', 'l', chooseLabel), tool('more', 'More', '', actions)];

function drawBar() {
  const count = list.selected.size;
  fill(bar, count
    ? [tool('close', 'Select nothing', 'Esc', () => list.clearSelection()), h('strong', {}, `${count} selected`), h('span', { class: 'grow' }), tools()]
    : [tool('menu', 'Folders', '', () => document.body.classList.toggle('folders-open')), h('h1', { class: 'place-name', dir: 'auto' }, nameOfPlace()), h('span', { class: 'grow' }), list.total > 0 && h('span', { class: 'faint total' }, list.total === 1 ? '1 conversation' : `${list.total.toLocaleString()} conversations`)]);
  fill(readerBar, reader.key ? [tool('back', 'Back to the list', 'u', closeReader), h('span', { class: 'grow' }), tools()] : []);
  readerHint.hidden = Boolean(reader.key);
}
const readerHint = h('div', { class: 'empty' }, icon('unread'), h('h2', {}, 'Nothing open'), h('p', {}, 'Choose a conversation, or press ', h('kbd', {}, 'j'), ' and ', h('kbd', {}, 'k'), '. ', h('kbd', {}, '?'), ' shows all keys.'));

fill(document.getElementById('app'),
  h('a', { class: 'skip', href: '#rows', onclick: (event) => { event.preventDefault(); list.element.focus(); } }, 'To the conversations'),
  folderPane, h('div', { class: 'shade', onclick: () => document.body.classList.remove('folders-open') }),
  h('section', { class: 'list', 'aria-label': 'Conversations' }, h('div', { class: 'list-head' }, searchForm, bar), list.box,
    h('button', { class: 'main float-compose', 'aria-label': 'Write', onclick: () => compose.fresh() }, icon('compose'))),
  h('main', { class: 'reader' }, readerBar, reader.element, readerHint));

commands.add('Going', [
  [['j', 'ArrowDown'], 'Next conversation', () => step(1)], [['k', 'ArrowUp'], 'Conversation before', () => step(-1)],
  [['Enter', 'o'], 'Open', () => { const row = list.at(list.cursor); if (row) { open(row.key); reader.element.focus({ preventScroll: true }); } }], [['u', 'Escape'], 'Back to the list', closeReader],
  ['n', 'Next message', () => reader.step(1)], ['p', 'Message before', () => reader.step(-1)],
  ['PageDown', 'Page down', () => page(1), { hidden: true }], ['PageUp', 'Page up', () => page(-1), { hidden: true }],
  ['g i', 'Go to the Inbox', () => go({ folder: 'inbox' }), { icon: 'inbox' }], ['g s', 'Go to Sent', () => go({ folder: 'sent' }), { icon: 'sent' }], ['g d', 'Go to Drafts', () => go({ folder: 'drafts' }), { icon: 'drafts' }], ['g a', 'Go to Archive', () => go({ folder: 'archive' }), { icon: 'archive' }], ['g t', 'Go to Trash', () => go({ folder: 'trash' }), { icon: 'trash' }],
  ['/', 'Search', () => { searchInput.focus(); searchInput.select(); }, { icon: 'search' }], ['Ctrl-K', 'All commands', () => commands.palette(), { hidden: true }], ['?', 'Keys', () => commands.help(), { icon: 'list' }],
]);
commands.add('Doing', [
  ['e', 'Archive', () => move('archive'), { icon: 'archive' }], [['#', 'Delete'], 'Trash', deleteForEver, { icon: 'trash' }], ['!', 'Junk', () => move('junk'), { icon: 'junk' }], ['b', 'Snooze', snooze, { icon: 'clock' }],
  ['v', 'Move to a folder', chooseFolder, { icon: 'folder' }], ['l', 'Label', chooseLabel, { icon: 'label' }], ['s', 'Flag', () => { const rows = meant(); about({ change: 'flag', flagged: !rows.some((row) => row.is_flagged) }); }, { icon: 'flag' }],
  ['I', 'Mark read', () => about({ change: 'read', read: true }), { icon: 'check' }], ['U', 'Mark unread', markUnread, { icon: 'unread' }], ['m', 'Mute', mute, { icon: 'mute' }],
  ['x', 'Select', () => list.toggle()], ['* a', 'Select all that is loaded', () => list.selectAll()], ['z', 'Undo', () => { if (!undoLatest()) toast('Nothing to undo.'); }],
]);
commands.add('Writing', [
  ['c', 'Write', () => compose.fresh(), { icon: 'compose' }], ['r', 'Reply', () => reader.reply('reply'), { icon: 'reply' }], ['a', 'Reply all', () => reader.reply('reply_all'), { icon: 'replyAll' }], ['f', 'Forward', () => reader.reply('forward'), { icon: 'forward' }],
  ['Ctrl-Enter', 'Send', () => {}, { hidden: true }],
]);
commands.add('More', [
  ['', 'Settings', () => openSettings(), { icon: 'gear' }], ['', 'Password, second factor, programs', () => { location.href = '/mail/security'; }, { icon: 'key' }],
  ['', 'Light or dark', () => setTheme({ '': 'dark', dark: 'light', light: '' }[state.settings.agent.theme ?? '']), { icon: 'gear' }], ['', 'Log out', logOut, { icon: 'back' }],
]);
commands.places = () => state.folders.map((one) => ({ text: one.name, detail: 'folder', icon: one.role ?? 'folder', run: () => go({ folder: one.key }) }));
function page(by) { if (reader.key) reader.element.scrollBy({ top: by * reader.element.clientHeight * 0.9 }); else step(by * Math.max(1, Math.floor(list.element.clientHeight / list.rowHeight) - 1)); }

// Looks.
function dress() {
  const { theme, dir, dense } = state.settings.agent;
  const root = document.documentElement;
  if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  root.dir = dir || 'ltr';
  if (dense) root.dataset.dense = ''; else delete root.dataset.dense;
  list.height = undefined;
  list.clear();
  list.draw();
}
async function setTheme(theme) { state.settings.agent = { ...state.settings.agent, theme }; dress(); try { await api.putSettings(state.settings); } catch (error) { failed(error); } }
async function readSettings() { try { state.settings = await api.settings(); } catch { return; } dress(); }

function heard(notice) {
  if (notice.notice === 'new_mail') {
    refresh();
    if (document.hidden && 'Notification' in window && Notification.permission === 'granted') {
      const shownNotice = new Notification(notice.from.name || notice.from.address, { body: `${notice.subject}\n${notice.snippet}`, tag: notice.message });
      shownNotice.onclick = () => { window.focus(); go({ folder: 'inbox' }, notice.conversation); };
    }
  } else if (notice.notice === 'settings') readSettings();
  else refresh();
}

const start = placeOf(location.pathname);
history.replaceState({}, '', pathOf(start.place, start.key));
await Promise.all([readFolders(), readSettings(), arrive(start.place, start.key, true)]);
drawBar();
list.element.focus({ preventScroll: true });
listen(heard);
document.documentElement.dataset.ready = '';
