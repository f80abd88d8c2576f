// Writing: docked at the lower edge or over the full page, saved by itself, sent with time for second thoughts.

import { avatar, fill, h, later, octets, rebuilt, shown, soonTime } from './dom.js';
import { icon } from './icons.js';
import { api, me, octetsMax, upload } from './api.js';
import { confirmed, failed, menu, pickTime, toast } from './dialogs.js';

const SPEAKS_OF_FILES = /\b(attach(ed|ment|ments|ing)?|enclosed|anhang|anbei|beigef[üu]gt|angeh[äa]ngt|ci-joint|pi[èe]ces? jointes?|adjunt[oa]s?|allegat[oi])\b/i;

export class Composers {
  constructor({ sent, closed }) {
    this.sent = sent;
    this.closed = closed;
    this.open = new Set();
    this.element = h('div', { class: 'dock' });
    addEventListener('beforeunload', (event) => { if ([...this.open].some((one) => one.isDirty)) event.preventDefault(); });
  }

  async identities() { this.known ??= await api.identities().catch(() => [{ person: { name: me.name, address: me.address }, is_default: true, signature: '' }]); return this.known; }
  forget() { this.known = undefined; }

  async fresh(given = {}) {
    const identities = await this.identities();
    const signature = identities.find((one) => one.is_default)?.signature;
    const text = signature ? `\n\n-- \n${signature}` : '';
    this.show({ to: [], cc: [], bcc: [], subject: '', attachments: [], body: { text }, ...given });
  }

  async answer(key, kind) { try { this.show(await api.replyDraft(key, kind)); } catch (error) { failed(error); } }

  async openDraft(key) {
    const there = [...this.open].find((one) => one.draft.key === key);
    if (there) { there.focus(); return; }
    try { this.show(await api.draft(key)); } catch (error) { failed(error); }
  }

  async show(draft) {
    const identities = await this.identities();
    for (const one of this.open) one.fold(true);
    const composer = new Composer(draft, identities, this);
    this.open.add(composer);
    this.element.append(composer.element);
    composer.focus();
  }
}

class Composer {
  constructor(draft, identities, all) {
    this.draft = draft;
    this.all = all;
    this.identities = identities;
    this.isRich = draft.body?.html !== undefined;
    this.isDirty = false;
    this.saving = Promise.resolve();
    this.save = later(1500, () => this.saveNow());
    this.uploads = 0;
    this.build();
  }

  build() {
    const { draft } = this;
    this.fields = { to: new Recipients('To', draft.to, () => this.touched()), cc: new Recipients('Cc', draft.cc, () => this.touched()), bcc: new Recipients('Bcc', draft.bcc, () => this.touched()) };
    this.fields.cc.element.hidden = !draft.cc?.length;
    this.fields.bcc.element.hidden = !draft.bcc?.length;
    const more = h('span', { class: 'more-fields' }, ['cc', 'bcc'].map((name) => h('button', { class: 'plain', type: 'button', onclick: (event) => { this.fields[name].element.hidden = false; event.currentTarget.hidden = true; this.fields[name].input.focus(); } }, name === 'cc' ? 'Cc' : 'Bcc')));
    this.fields.to.element.append(more);
    this.subject = h('input', { type: 'text', class: 'subject-input', placeholder: 'Subject', 'aria-label': 'Subject', value: draft.subject ?? '', maxlength: '900', dir: 'auto', oninput: () => { this.title.textContent = this.subject.value || 'New message'; this.touched(); } });
    this.from = this.identities.length > 1 && h('select', { 'aria-label': 'From', onchange: () => this.touched() }, this.identities.map((one) => h('option', { value: one.person.address, selected: one.person.address === (draft.from?.address ?? this.identities.find((other) => other.is_default)?.person.address) }, one.person.name ? `${one.person.name} <${one.person.address}>` : one.person.address)));
    this.title = h('h2', { dir: 'auto' }, draft.subject || 'New message');
    this.state = h('span', { class: 'faint state', role: 'status' });
    this.files = h('div', { class: 'files' });
    this.body = h('div', { class: 'writing' });
    this.picker = h('input', { type: 'file', multiple: true, hidden: true, 'aria-label': 'Files', onchange: () => { this.attach([...this.picker.files]); this.picker.value = ''; } });
    this.element = h('section', { class: 'composer', role: 'dialog', 'aria-label': 'New message',
      onkeydown: (event) => this.pressed(event),
      ondragover: (event) => { if (event.dataTransfer?.types.includes('Files')) { event.preventDefault(); this.element.classList.add('dropping'); } },
      ondragleave: (event) => { if (!this.element.contains(event.relatedTarget)) this.element.classList.remove('dropping'); },
      ondrop: (event) => { this.element.classList.remove('dropping'); if (event.dataTransfer?.files.length) { event.preventDefault(); this.attach([...event.dataTransfer.files]); } },
      onpaste: (event) => { const files = [...(event.clipboardData?.files ?? [])]; if (files.length) { event.preventDefault(); this.attach(files, true); } } },
    h('header', { onclick: (event) => { if (!event.target.closest('button')) this.fold(!this.element.classList.contains('folded')); } }, this.title, this.state,
      h('button', { class: 'plain icon-button', 'aria-label': 'Make it small or large again', title: 'Fold', onclick: () => this.fold(!this.element.classList.contains('folded')) }, icon('down')),
      h('button', { class: 'plain icon-button wide-button', 'aria-label': 'Full page', title: 'Full page', onclick: () => { this.fold(false); this.element.classList.toggle('full'); } }, icon('wide')),
      h('button', { class: 'plain icon-button', 'aria-label': 'Save and close', title: 'Save and close (Esc)', onclick: () => this.close() }, icon('close'))),
    h('div', { class: 'composer-inside' },
      h('div', { class: 'composer-fields' }, this.from && h('label', { class: 'field' }, h('span', { class: 'field-name' }, 'From'), this.from), Object.values(this.fields).map((field) => field.element), h('div', { class: 'field' }, this.subject)),
      this.body, this.files,
      h('footer', {},
        h('button', { class: 'main send', title: 'Send (Ctrl-Enter)', onclick: () => this.send() }, icon('sent'), 'Send'),
        h('button', { class: 'icon-button plain', 'aria-label': 'Send later', title: 'Send later', onclick: () => pickTime('Send later', (at) => this.send({ at: at.toISOString() })) }, icon('clock')),
        h('button', { class: 'icon-button plain', 'aria-label': 'Attach files', title: 'Attach files', onclick: () => this.picker.click() }, icon('clip')), this.picker,
        h('button', { class: 'icon-button plain', 'aria-label': 'More', title: 'More', onclick: (event) => menu(event.currentTarget, [
          { text: this.isRich ? 'Plain text' : 'Rich text', icon: 'bold', run: () => this.switchForm() },
          { text: this.draft.wants_receipt ? 'Don’t ask for a read receipt' : 'Ask for a read receipt', icon: 'check', run: () => { this.draft.wants_receipt = !this.draft.wants_receipt; this.touched(); } },
        ]) }, icon('more')),
        h('span', { class: 'grow' }),
        h('button', { class: 'icon-button plain', 'aria-label': 'Throw this draft away', title: 'Throw away', onclick: () => this.discard() }, icon('trash')))));
    this.drawBody();
    this.drawFiles();
  }

  drawBody() {
    const { body } = this.draft;
    if (!this.isRich) {
      this.editor = h('textarea', { 'aria-label': 'Message', dir: 'auto', spellcheck: 'true', oninput: () => this.touched() });
      this.editor.value = body?.text ?? '';
      fill(this.body, this.editor);
      return;
    }
    this.editor = h('div', { class: 'rich', contenteditable: 'true', role: 'textbox', 'aria-multiline': 'true', 'aria-label': 'Message', dir: 'auto', oninput: () => this.touched() });
    this.editor.append(rebuilt(body.html, { links: true, picture: (image) => this.ownPicture(image) }));
    const button = (name, command, title, value) => h('button', { class: 'plain icon-button', type: 'button', title, 'aria-label': title, onmousedown: (event) => event.preventDefault(), onclick: () => { document.execCommand(command, false, value); this.touched(); } }, icon(name));
    const tools = h('div', { class: 'tools', role: 'toolbar', 'aria-label': 'Form of the text' }, button('bold', 'bold', 'Bold (Ctrl-B)'), button('italic', 'italic', 'Italic (Ctrl-I)'), button('list', 'insertUnorderedList', 'List'), button('quote', 'formatBlock', 'Quotation', 'blockquote'),
      h('button', { class: 'plain icon-button', type: 'button', title: 'Link', 'aria-label': 'Link', onmousedown: (event) => event.preventDefault(), onclick: () => { const target = prompt('Where does the link lead?', 'https://'); if (/^(https?|mailto):/i.test(target ?? '')) { document.execCommand('createLink', false, target); this.touched(); } } }, icon('link')));
    fill(this.body, tools, this.editor);
  }

  ownPicture(image) {
    const id = /^cid:(.+)/i.exec(image.getAttribute('src') ?? '')?.[1];
    const file = this.draft.attachments.find((one) => one.content_id === id);
    if (!id || !file?.octets?.part) return null;
    return h('img', { src: api.partUrl(file.octets.part.message, file.octets.part.path, true), 'data-cid': id, alt: file.name });
  }

  switchForm() {
    this.draft.body = this.isRich ? { text: this.editor.innerText } : { html: this.editor.value.split('\n').map((line) => `<div>${line.replace(/&/g, '&amp;').replace(/</g, '&lt;') || '<br>'}</div>`).join('') };
    this.isRich = !this.isRich;
    this.drawBody();
    this.touched();
    this.editor.focus();
  }

  words() {
    if (!this.isRich) return { text: this.editor.value };
    const copy = this.editor.cloneNode(true);
    for (const image of copy.querySelectorAll('img')) if (image.dataset.cid) { image.setAttribute('src', `cid:${image.dataset.cid}`); image.removeAttribute('data-cid'); } else image.remove();
    return { html: new XMLSerializer().serializeToString(copy).replace(/^<div[^>]*>|<\/div>$/g, '') };
  }

  focus() {
    this.fold(false);
    if (!this.fields.to.people.length) this.fields.to.input.focus();
    else { this.editor.focus(); if (!this.isRich) this.editor.setSelectionRange(0, 0); this.editor.scrollTop = 0; }
  }

  fold(folded) { this.element.classList.toggle('folded', folded); if (folded) this.element.classList.remove('full'); }

  touched() { this.isDirty = true; this.state.textContent = ''; this.save(); }

  gather() {
    for (const field of Object.values(this.fields)) field.commit();
    const person = this.from && this.identities.find((one) => one.person.address === this.from.value)?.person;
    return { ...this.draft, from: person || this.draft.from || null, to: this.fields.to.people, cc: this.fields.cc.people, bcc: this.fields.bcc.people, subject: this.subject.value, body: this.words(), attachments: this.draft.attachments.filter((one) => one.octets) };
  }

  // One save after another, each on what the last one left.
  saveNow(quiet = false) {
    this.save.cancel();
    this.saving = this.saving.then(async () => {
      if (!this.isDirty && this.draft.key) return true;
      this.isDirty = false;
      if (!quiet) this.state.textContent = 'Saving…';
      const files = this.draft.attachments.filter((one) => one.octets);
      const typing = document.activeElement?.closest?.('.recipients') && this.element.contains(document.activeElement);
      try {
        const draft = typing ? { ...this.gatherQuietly() } : this.gather();
        const saved = await api.saveDraft(draft);
        this.draft.key = saved.key;
        this.draft.version = saved.version;
        files.forEach((file, index) => { if (saved.attachments[index]) Object.assign(file, saved.attachments[index]); });
        this.drawFiles();
        this.state.textContent = 'Saved';
        return true;
      } catch (error) {
        this.isDirty = true;
        this.state.textContent = error.error === 'conflict' ? 'Changed elsewhere' : 'Not saved';
        this.problem = error;
        return false;
      }
    });
    return this.saving;
  }

  gatherQuietly() {
    const held = Object.values(this.fields).map((field) => field.input.value);
    for (const field of Object.values(this.fields)) field.input.value = '';
    const draft = this.gather();
    Object.values(this.fields).forEach((field, index) => { field.input.value = held[index]; });
    return draft;
  }

  async attach(files, pasted = false) {
    for (const file of files) {
      if (file.size > octetsMax) { toast(`${file.name} is larger than this host takes (${octets(octetsMax)}).`, { wrong: true }); continue; }
      const name = file.name || 'image.png';
      const entry = { name, media_type: file.type || 'application/octet-stream', size_octets: file.size, content_id: null, progress: 0 };
      const inline = pasted && this.isRich && file.type.startsWith('image/');
      if (inline) entry.content_id = `${crypto.randomUUID?.() ?? Math.random().toString(36).slice(2)}@posta`;
      this.draft.attachments.push(entry);
      this.uploads += 1;
      const { done, stop } = upload(file, name, (part) => { entry.progress = part; entry.bar?.style.setProperty('--done', part); });
      entry.stop = stop;
      this.drawFiles();
      try {
        const key = await done;
        Object.assign(entry, { octets: { upload: key }, progress: undefined, stop: undefined });
        if (inline) { this.editor.focus(); const range = getSelection().rangeCount ? getSelection().getRangeAt(0) : null; const image = h('img', { src: URL.createObjectURL(file), 'data-cid': entry.content_id, alt: name }); if (range && this.editor.contains(range.startContainer)) range.insertNode(image); else this.editor.append(image); }
        this.touched();
      } catch (error) { this.draft.attachments = this.draft.attachments.filter((one) => one !== entry); if (error.error !== 'aborted') failed(error); }
      this.uploads -= 1;
      this.drawFiles();
    }
  }

  drawFiles() {
    fill(this.files, this.draft.attachments.filter((one) => !one.content_id || !this.isRich).map((one) => {
      one.bar = h('div', { class: 'file uploading' }, h('span', { class: 'file-open' }, icon('file'), h('span', { class: 'file-name', dir: 'auto' }, one.name || 'file'), h('span', { class: 'faint' }, octets(one.size_octets))),
        h('button', { class: 'plain icon-button', 'aria-label': `Take ${one.name} off`, onclick: () => { one.stop?.(); this.draft.attachments = this.draft.attachments.filter((other) => other !== one); this.drawFiles(); this.touched(); } }, icon('close')));
      if (one.progress !== undefined) { one.bar.setAttribute('role', 'progressbar'); one.bar.style.setProperty('--done', one.progress); } else one.bar.classList.remove('uploading');
      return one.bar;
    }));
    this.files.hidden = !this.draft.attachments.length;
  }

  ownWords() {
    const text = this.isRich ? this.editor.innerText : this.editor.value;
    return text.split('\n').filter((line) => !line.startsWith('>')).join('\n').split(/^-- $|^-{3,} ?Forwarded/m)[0];
  }

  async send(options = {}) {
    if (this.isSending) return;
    for (const field of Object.values(this.fields)) field.commit();
    const all = [...this.fields.to.people, ...this.fields.cc.people, ...this.fields.bcc.people];
    if (!all.length) { toast('Who is it for?', { wrong: true }); this.fields.to.input.focus(); return; }
    const wrong = all.find((person) => !/^[^\s@]+@[^\s@]+$/.test(person.address));
    if (wrong) { toast(`“${wrong.address}” is no address.`, { wrong: true }); return; }
    if (this.uploads) { toast('A file is still on its way.', { wrong: true }); return; }
    if (!this.draft.attachments.length && SPEAKS_OF_FILES.test(`${this.subject.value}\n${this.ownWords()}`) && !(await confirmed('No file?', 'You speak of a file, but none is attached.', 'Send it without'))) return;
    if (!this.subject.value.trim() && !(await confirmed('No subject?', 'The message has no subject.', 'Send it without'))) return;
    this.isSending = true;
    this.isDirty = true;
    try {
      if (!(await this.saveNow(true))) throw this.problem;
      const sent = await api.send(this.draft.key, options);
      this.leave();
      const seconds = Math.max(0, (new Date(sent.release_at) - Date.now()) / 1000);
      const text = options.at ? `It leaves ${soonTime(new Date(sent.release_at))}.` : 'Sent.';
      const back = async () => { try { const { key } = await api.unsend(sent.outbox); this.all.openDraft(key); this.all.sent(); toast('Taken back.'); } catch (error) { failed(error); } };
      toast(text, { undo: seconds > 1 ? back : undefined, seconds: options.at ? 8 : Math.max(4, Math.min(seconds, 120)) });
      this.all.sent();
    } catch (error) { failed(error); }
    this.isSending = false;
  }

  isEmpty() { return !this.draft.key && !this.subject.value && !this.ownWords().trim() && !this.draft.attachments.length && !Object.values(this.fields).some((field) => field.people.length || field.input.value); }

  async close() {
    if (this.isEmpty() || (!this.isDirty && !this.draft.key) || !this.isDirty) { this.leave(); return; }
    if (await this.saveNow()) { this.leave(); toast('Saved in Drafts.'); } else failed(this.problem);
  }

  async discard() {
    this.save.cancel();
    await this.saving;
    this.leave();
    if (!this.draft.key) return;
    try { const done = await api.discardDraft(this.draft.key); toast('The draft is thrown away.', { undo: done.undo && (async () => { try { await api.undo(done.undo); this.all.sent(); } catch (error) { failed(error); } }) }); this.all.sent(); } catch (error) { failed(error); }
  }

  leave() { this.save.cancel(); this.isDirty = false; this.element.remove(); this.all.open.delete(this); this.all.closed(); }

  pressed(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') { event.preventDefault(); this.send(); } else if (event.key === 'Escape' && !event.defaultPrevented) { event.preventDefault(); this.close(); }
    event.stopPropagation();
  }
}

// Recipients as chips; what is half typed is completed from the address book and past mail.
class Recipients {
  constructor(name, people, changed) {
    this.people = [...(people ?? [])];
    this.changed = changed;
    this.at = -1;
    this.chips = h('span', { class: 'chips' });
    this.suggestions = h('div', { class: 'suggestions', role: 'listbox', id: `suggestions-${name}-${Math.random().toString(36).slice(2, 8)}`, 'aria-label': 'Suggestions', hidden: true });
    this.input = h('input', { type: 'text', 'aria-label': name, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', role: 'combobox', 'aria-expanded': 'false', 'aria-controls': this.suggestions.id,
      oninput: () => { this.changed(); this.look(); }, onkeydown: (event) => this.pressed(event), onblur: () => setTimeout(() => { if (document.activeElement !== this.input) { this.commit(); this.hide(); } }, 150),
      onpaste: (event) => { const text = event.clipboardData?.getData('text') ?? ''; if (/[,;\n]/.test(text)) { event.preventDefault(); this.take(text); } } });
    this.element = h('div', { class: 'field recipients' }, h('span', { class: 'field-name' }, name), this.chips, this.input, this.suggestions);
    this.element.addEventListener('click', (event) => { if (event.target === this.element) this.input.focus(); });
    this.look = later(120, () => this.complete());
    this.draw();
  }

  draw() {
    fill(this.chips, this.people.map((person, index) => h('span', { class: 'chip', title: person.address }, h('span', { dir: 'auto' }, shown(person)), h('button', { class: 'plain', type: 'button', 'aria-label': `Take ${person.address} off`, onclick: () => { this.people.splice(index, 1); this.draw(); this.changed(); } }, icon('close')))));
  }

  async complete() {
    const typed = this.input.value.trim();
    if (!typed) { this.hide(); return; }
    let found;
    try { found = await api.complete(typed); } catch { return; }
    if (this.input.value.trim() !== typed) return;
    this.found = found.filter((one) => !this.people.some((person) => person.address === one.address));
    this.at = this.found.length ? 0 : -1;
    this.drawSuggestions();
  }

  drawSuggestions() {
    fill(this.suggestions, (this.found ?? []).map((one, index) => h('div', { role: 'option', id: `${this.suggestions.id}-${index}`, 'aria-selected': String(index === this.at), class: index === this.at ? 'choice at' : 'choice', onmousedown: (event) => { event.preventDefault(); this.pick(one); } }, avatar(one), h('span', { class: 'grow' }, h('div', {}, shown(one)), one.name && h('div', { class: 'faint' }, one.address)))));
    this.suggestions.hidden = !this.found?.length;
    this.input.setAttribute('aria-expanded', String(!this.suggestions.hidden));
    if (this.at >= 0) this.input.setAttribute('aria-activedescendant', `${this.suggestions.id}-${this.at}`); else this.input.removeAttribute('aria-activedescendant');
  }

  hide() { this.look.cancel(); this.found = []; this.at = -1; this.drawSuggestions(); }

  pick(one) { this.people.push({ name: one.name, address: one.address }); this.input.value = ''; this.hide(); this.draw(); this.changed(); this.input.focus(); }

  take(text) {
    for (const piece of text.split(/[,;\n]+/).map((part) => part.trim()).filter(Boolean)) {
      const match = /^(.*?)\s*<([^<>]+)>$/.exec(piece);
      this.people.push(match ? { name: match[1].replace(/^"|"$/g, ''), address: match[2].trim() } : { name: '', address: piece });
    }
    this.draw();
    this.changed();
  }

  commit() { const text = this.input.value.trim(); if (!text) return; this.input.value = ''; this.take(text); this.hide(); }

  pressed(event) {
    const isOpen = !this.suggestions.hidden && this.at >= 0;
    if (event.key === 'ArrowDown' && isOpen) { event.preventDefault(); this.at = Math.min(this.found.length - 1, this.at + 1); this.drawSuggestions(); }
    else if (event.key === 'ArrowUp' && isOpen) { event.preventDefault(); this.at = Math.max(0, this.at - 1); this.drawSuggestions(); }
    else if ((event.key === 'Enter' || event.key === 'Tab') && isOpen && !event.ctrlKey && !event.metaKey) { if (!(event.key === 'Tab' && this.input.value.includes('@') && /\.\w+$/.test(this.input.value))) { event.preventDefault(); this.pick(this.found[this.at]); } }
    else if (event.key === 'Escape' && isOpen) { event.preventDefault(); event.stopPropagation(); this.hide(); }
    else if (event.key === ',' || event.key === ';' || (event.key === 'Enter' && !event.ctrlKey && !event.metaKey)) { if (this.input.value.trim()) { event.preventDefault(); this.commit(); } else if (event.key !== 'Enter') event.preventDefault(); }
    else if (event.key === 'Backspace' && !this.input.value && this.people.length) { this.people.pop(); this.draw(); this.changed(); }
  }
}
