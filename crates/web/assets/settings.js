// What a person settles: identities, looks, reading, absence, rules, people.

import { fill, h } from './dom.js';
import { icon } from './icons.js';
import { api, me } from './api.js';
import { dialog, failed, toast } from './dialogs.js';

const labelled = (text, control, hint) => h('label', { class: 'setting' }, h('span', {}, text, hint && h('span', { class: 'faint' }, hint)), control);
const choice = (value, options, changed) => h('select', { onchange: (event) => changed(event.target.value) }, options.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
const text = (value, changed, more = {}) => h('input', { type: 'text', value: value ?? '', oninput: (event) => changed(event.target.value), ...more });
const check = (value, changed) => h('input', { type: 'checkbox', checked: value, onchange: (event) => changed(event.target.checked) });
const area = (value, changed) => h('textarea', { rows: '5', value: value ?? '', oninput: (event) => changed(event.target.value) });

export async function settings(state, page, changed) {
  const body = h('div', { class: 'settings' }, h('p', { class: 'faint' }, 'Reading…'));
  dialog('Settings', body, { wide: true });
  try {
    const [habits, identities, rules, vacation, folders, contacts] = await Promise.all([api.settings(), api.identities(), api.rules(), api.vacation(), api.folders(), api.contacts()]);
    draw({ habits, identities, rules, vacation, folders, contacts });
  } catch (error) { fill(body, h('p', {}, error.message)); }

  function draw(all) {
    const pages = { Looks: looks, Writing: writing, Reading: reading, Absence: absence, Rules: rulePage, People: people };
    let at = page ?? 'Looks';
    const inside = h('div', { class: 'settings-page' });
    const tabs = h('div', { class: 'tabs', role: 'tablist' });
    const show = (name) => {
      at = name;
      fill(tabs, Object.keys(pages).map((key) => h('button', { role: 'tab', class: key === at ? 'plain at' : 'plain', 'aria-selected': String(key === at), onclick: () => show(key) }, key)));
      fill(inside, pages[at](all));
    };
    const save = async (work, done = 'Saved.') => { try { await work(); toast(done); await changed(); } catch (error) { failed(error); } };
    const button = (work) => h('div', { class: 'buttons' }, h('button', { class: 'main', onclick: () => save(work) }, 'Save'));

    function looks({ habits }) {
      const put = (name) => (value) => { habits.agent = { ...habits.agent, [name]: value }; };
      return [labelled('Colours', choice(habits.agent.theme ?? '', [['', 'As the system has them'], ['light', 'Light'], ['dark', 'Dark']], put('theme'))),
        labelled('Direction', choice(habits.agent.dir ?? '', [['', 'Left to right'], ['rtl', 'Right to left']], put('dir'))),
        labelled('Rows', choice(habits.agent.dense ?? '', [['', 'Three lines'], ['1', 'Two lines']], put('dense'))), button(() => api.putSettings(habits))];
    }
    function writing({ habits, identities }) {
      const box = h('div', {});
      const drawBox = () => fill(box, identities.map((one, index) => h('fieldset', {}, h('legend', {}, one.person.address || 'New'),
        labelled('Name', text(one.person.name, (value) => { one.person.name = value; })), labelled('Address', text(one.person.address, (value) => { one.person.address = value; })),
        labelled('Answers go to', text(one.reply_to, (value) => { one.reply_to = value || null; }, { placeholder: 'the same address' })), labelled('Signature', area(one.signature, (value) => { one.signature = value; })),
        labelled('Used where nothing else is chosen', h('input', { type: 'radio', name: 'default', checked: one.is_default, onchange: () => { for (const other of identities) other.is_default = other === one; } })),
        identities.length > 1 && h('button', { class: 'plain', onclick: () => { identities.splice(index, 1); if (!identities.some((other) => other.is_default)) identities[0].is_default = true; drawBox(); } }, 'Remove'))));
      drawBox();
      return [box, h('button', { onclick: () => { identities.push({ person: { name: me.name, address: '' }, reply_to: null, signature: '', is_default: false }); drawBox(); } }, 'Another identity'),
        labelled('Time to take a message back', choice(String(habits.undo_secs), [['0', 'None'], ['5', '5 seconds'], ['10', '10 seconds'], ['20', '20 seconds'], ['30', '30 seconds'], ['60', 'a minute'], ['120', '2 minutes']], (value) => { habits.undo_secs = Number(value); })),
        labelled('Answers', choice(String(habits.reply_above), [['true', 'above the quoted text'], ['false', 'below the quoted text']], (value) => { habits.reply_above = value === 'true'; })),
        button(async () => { await api.putIdentities(identities); await api.putSettings(habits); })];
    }
    function reading({ habits }) {
      const senders = h('ul', { class: 'rows' });
      const drawSenders = () => fill(senders, habits.image_senders.map((sender) => h('li', {}, h('span', { class: 'grow' }, sender), h('button', { class: 'plain', onclick: () => { habits.image_senders = habits.image_senders.filter((other) => other !== sender); drawSenders(); } }, 'Remove'))));
      drawSenders();
      return [labelled('Pictures from elsewhere', choice(habits.remote_images, [['ask', 'only on demand'], ['contacts', 'also of people in my address book'], ['always', 'always']], (value) => { habits.remote_images = value; })),
        labelled('Read receipts', choice(habits.receipts, [['ask', 'ask me each time'], ['never', 'never']], (value) => { habits.receipts = value; })),
        labelled('Time zone', text(habits.zone, (value) => { habits.zone = value; }, { placeholder: Intl.DateTimeFormat().resolvedOptions().timeZone })),
        habits.image_senders.length > 0 && [h('h3', {}, 'Their pictures are always shown'), senders], button(() => api.putSettings(habits))];
    }
    function absence({ vacation }) {
      const date = (name) => h('input', { type: 'date', value: vacation[name]?.slice(0, 10) ?? '', onchange: (event) => { vacation[name] = event.target.value ? new Date(`${event.target.value}T00:00:00`).toISOString() : null; } });
      return [labelled('Answer for me while I am away', check(vacation.enabled, (value) => { vacation.enabled = value; })), labelled('From', date('from')), labelled('Until', date('until')),
        labelled('Subject', text(vacation.subject, (value) => { vacation.subject = value; })), labelled('Text', area(vacation.text, (value) => { vacation.text = value; })),
        labelled('Only to people in my address book', check(vacation.contacts_only, (value) => { vacation.contacts_only = value; })),
        h('p', { class: 'faint' }, 'Everybody gets the answer once in seven days; lists and programs get none.'), button(() => api.putVacation(vacation))];
    }
    function rulePage({ rules, folders }) {
      const box = h('div', {});
      const actions = [['move', 'move to'], ['label', 'label'], ['mark_read', 'mark read'], ['flag', 'flag'], ['forward', 'forward to'], ['discard', 'put into Trash']];
      const drawBox = () => fill(box, rules.length === 0 && h('p', { class: 'faint' }, 'Rules look at each new message: who it is from, what it is about.'), rules.map((rule, index) => h('fieldset', {}, h('legend', {}, rule.name || 'New rule'),
        labelled('Name', text(rule.name, (value) => { rule.name = value; })), labelled('In use', check(rule.enabled, (value) => { rule.enabled = value; })),
        labelled('If', choice(String(rule.any), [['false', 'all of these hold'], ['true', 'one of these holds']], (value) => { rule.any = value === 'true'; })),
        rule.conditions.map((one, at) => h('div', { class: 'inline' }, choice(one.field, [['from', 'From'], ['to', 'To or Cc'], ['subject', 'Subject'], ['list', 'List'], ['body', 'Text']], (value) => { one.field = value; }),
          choice(one.test, [['contains', 'contains'], ['contains_not', 'contains not'], ['is', 'is']], (value) => { one.test = value; }), text(one.value, (value) => { one.value = value; }, { 'aria-label': 'Value' }),
          h('button', { class: 'plain icon-button', 'aria-label': 'Remove', onclick: () => { rule.conditions.splice(at, 1); drawBox(); } }, icon('close')))),
        h('button', { class: 'plain', onclick: () => { rule.conditions.push({ field: 'from', test: 'contains', value: '' }); drawBox(); } }, 'Another condition'),
        rule.actions.map((one, at) => h('div', { class: 'inline' }, choice(one.action, actions, (value) => { rule.actions[at] = { action: value, ...(value === 'move' ? { folder: 'archive' } : value === 'label' ? { label: '' } : value === 'forward' ? { address: '' } : {}) }; drawBox(); }),
          one.action === 'move' && choice(one.folder, folders.map((folder) => [folder.key, folder.name]), (value) => { one.folder = value; }), one.action === 'label' && text(one.label, (value) => { one.label = value; }, { 'aria-label': 'Label' }), one.action === 'forward' && text(one.address, (value) => { one.address = value; }, { 'aria-label': 'Address' }),
          h('button', { class: 'plain icon-button', 'aria-label': 'Remove', onclick: () => { rule.actions.splice(at, 1); drawBox(); } }, icon('close')))),
        h('button', { class: 'plain', onclick: () => { rule.actions.push({ action: 'move', folder: 'archive' }); drawBox(); } }, 'Another action'),
        h('button', { class: 'plain', onclick: () => { rules.splice(index, 1); drawBox(); } }, 'Remove this rule'))));
      drawBox();
      return [box, h('button', { onclick: () => { rules.push({ name: '', enabled: true, any: false, conditions: [{ field: 'from', test: 'contains', value: '' }], actions: [{ action: 'move', folder: 'archive' }], stop: false }); drawBox(); } }, 'Another rule'), button(() => api.putRules(rules))];
    }
    function people({ contacts }) {
      const box = h('ul', { class: 'rows' });
      const drawBox = () => fill(box, contacts.length === 0 && h('p', { class: 'faint' }, 'Nobody yet. People whom you write to are suggested all the same.'), contacts.map((one) => h('li', {}, h('span', { class: 'grow' }, h('strong', { dir: 'auto' }, one.name), ' ', h('span', { class: 'faint' }, one.addresses.join(', '))),
        h('button', { class: 'plain', onclick: () => save(async () => { await api.removeContact(one.key); contacts.splice(contacts.indexOf(one), 1); drawBox(); }, 'Removed.') }, 'Remove'))));
      drawBox();
      const fresh = { name: '', address: '' };
      return [box, h('form', { class: 'inline', onsubmit: (event) => { event.preventDefault(); save(async () => { const contact = { name: fresh.name, addresses: [fresh.address] }; const { key } = await api.putContact(contact); contacts.push({ ...contact, key }); drawBox(); }); } },
        text('', (value) => { fresh.name = value; }, { placeholder: 'Name', 'aria-label': 'Name' }), text('', (value) => { fresh.address = value; }, { placeholder: 'Address', 'aria-label': 'Address' }), h('button', { class: 'main' }, 'Add')),
      h('p', {}, h('a', { href: '/api/v1/contacts.vcf', download: 'contacts.vcf' }, 'Save all as vCards'))];
    }
    fill(body, tabs, inside);
    show(at);
  }
}
