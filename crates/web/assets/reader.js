// A conversation: a card for each message, quoted text folded, strangers' HTML in a frame of its own.

import { avatar, fill, fullTime, h, octets, rebuilt, shortTime, shown } from './dom.js';
import { icon } from './icons.js';
import { api, me } from './api.js';
import { confirmed, dialog, failed, menu, toast } from './dialogs.js';

export class Reader {
  constructor({ acts, compose }) {
    this.acts = acts;
    this.compose = compose;
    this.element = h('div', { class: 'reader-scroll', tabindex: '-1' });
    this.cards = [];
    this.folded = true;
  }

  close() { this.key = undefined; this.view = undefined; this.cards = []; fill(this.element); }

  async open(key, { keep = false } = {}) {
    const same = keep && this.key === key;
    this.key = key;
    let view;
    try { view = await api.conversation(key); } catch (error) {
      if (this.key !== key) return;
      if (error.status === 404) { this.acts.gone(); return; }
      fill(this.element, h('div', { class: 'empty' }, h('p', {}, error.message)));
      return;
    }
    if (this.key !== key) return;
    this.view = view;
    const openBefore = new Set(same ? this.cards.filter((card) => card.isOpen).map((card) => card.row.key) : []);
    const known = new Map(same ? this.cards.map((card) => [card.row.key, card]) : []);
    this.cards = view.messages.map((row) => {
      const card = known.get(row.key);
      if (card) { card.update(row); return card; }
      return new Card(row, this);
    });
    const last = this.cards.length - 1;
    const firstUnread = this.cards.findIndex((card) => !card.row.is_read);
    const labels = [...new Set(view.messages.flatMap((row) => row.labels))];
    fill(this.element,
      h('header', { class: 'conversation-head' },
        h('h1', { dir: 'auto' }, view.subject || '(no subject)'),
        h('div', { class: 'labels' }, labels.map((label) => h('button', { class: 'label', title: 'Take this label off', onclick: () => this.acts.unlabel(label) }, label, icon('close'))),
          view.snoozed_until && h('span', { class: 'faint' }, `comes back ${fullTime(view.snoozed_until)}`), view.is_muted && h('span', { class: 'faint' }, 'muted'))),
      view.older > 0 && h('p', { class: 'faint' }, `${view.older} older messages are not shown.`),
      this.cards.map((card) => card.element),
      h('div', { class: 'answer-bar' },
        h('button', { onclick: () => this.reply('reply') }, icon('reply'), 'Reply'),
        h('button', { onclick: () => this.reply('reply_all') }, icon('replyAll'), 'Reply all'),
        h('button', { onclick: () => this.reply('forward') }, icon('forward'), 'Forward')));
    const toOpen = this.cards.filter((card, index) => (same && openBefore.has(card.row.key)) || (!same && (index === last || (!card.row.is_read && !card.row.draft))) || (same && !known.has(card.row.key)));
    await Promise.all(toOpen.map((card) => card.show()));
    if (same || this.key !== key) return;
    this.at = firstUnread >= 0 ? firstUnread : last;
    this.element.scrollTop = 0;
    const place = this.cards[this.at]?.element;
    if (place && place.offsetTop - this.element.offsetTop > this.element.clientHeight * 0.4) place.scrollIntoView({ block: 'start' });
  }

  // The message that single-message commands mean: the last one that is open.
  current() { return (this.at !== undefined && this.cards[this.at]?.isOpen ? this.cards[this.at] : [...this.cards].reverse().find((card) => card.isOpen)) ?? this.cards.at(-1); }

  step(by) {
    if (!this.cards.length) return;
    this.at = Math.max(0, Math.min(this.cards.length - 1, (this.at ?? 0) + by));
    this.cards[this.at].show();
    this.cards[this.at].element.scrollIntoView({ block: 'start', behavior: 'auto' });
    this.cards[this.at].fold.focus({ preventScroll: true });
  }

  reply(kind) { const card = [...this.cards].reverse().find((one) => !one.row.draft) ?? this.current(); const chosen = this.at !== undefined && this.cards[this.at] && !this.cards[this.at].row.draft ? this.cards[this.at] : card; if (chosen) this.compose.answer(chosen.row.key, kind); }
}

class Card {
  constructor(row, reader) {
    this.row = row;
    this.reader = reader;
    this.isOpen = false;
    this.head = h('div', { class: 'card-head', onclick: (event) => { if (!event.target.closest('button, a')) this.toggle(); } });
    this.body = h('div', { class: 'card-body', hidden: true });
    this.element = h('article', { class: 'card', 'aria-label': `Message from ${shown(row.from)}` }, this.head, this.body);
    this.drawHead();
  }

  update(row) { const changed = JSON.stringify(row) !== JSON.stringify(this.row); this.row = row; if (changed) this.drawHead(); }

  toggle() {
    if (this.row.draft) { this.reader.compose.openDraft(this.row.draft); return; }
    if (this.isOpen) { this.isOpen = false; this.body.hidden = true; this.drawHead(); } else this.show();
  }

  async show() {
    this.reader.at = this.reader.cards.indexOf(this);
    if (this.row.draft || this.isOpen) return;
    this.isOpen = true;
    this.body.hidden = false;
    this.drawHead();
    if (!this.view) await this.read(false);
    if (!this.row.is_read) this.reader.acts.markRead(this.row);
  }

  async read(images) {
    if (!this.view) fill(this.body, h('p', { class: 'faint' }, 'Reading…'));
    try { this.view = await api.message(this.row.key, images); } catch (error) { fill(this.body, h('p', {}, error.message)); return; }
    this.images = images;
    this.drawHead();
    this.draw();
  }

  drawHead() {
    const { row, view } = this;
    const isMine = row.from.address.toLowerCase() === me.address.toLowerCase();
    const to = (view?.all_to ?? row.to).map((person) => (person.address.toLowerCase() === me.address.toLowerCase() ? 'me' : shown(person))).join(', ');
    this.element.classList.toggle('closed', !this.isOpen);
    this.element.classList.toggle('unread', !row.is_read);
    const hadFocus = this.fold === document.activeElement;
    this.fold = h('button', { class: 'plain who', 'aria-expanded': String(this.isOpen), onclick: () => this.toggle() }, h('strong', { dir: 'auto' }, isMine ? 'Me' : shown(row.from)));
    fill(this.head,
      avatar(row.from),
      h('div', { class: 'card-who' },
        h('div', { class: 'line' }, this.fold, row.draft && h('span', { class: 'draft-word' }, 'Draft'),
          this.isOpen && h('span', { class: 'faint address' }, row.from.address)),
        this.isOpen
          ? h('button', { class: 'plain to', title: 'Show all recipients', onclick: () => this.details() }, h('span', { dir: 'auto' }, `to ${to || 'nobody named'}`), icon('down'))
          : h('div', { class: 'snippet', dir: 'auto' }, row.snippet)),
      h('div', { class: 'card-marks' },
        row.is_flagged && h('span', { class: 'flagged' }, icon('flag', 'Flagged')), row.has_attachment && !this.isOpen && icon('clip', 'Attachment'),
        h('time', { datetime: row.time, title: fullTime(row.time) }, shortTime(row.time)),
        this.isOpen && h('button', { class: 'plain icon-button', title: 'Reply (r)', 'aria-label': 'Reply', onclick: () => this.reader.compose.answer(row.key, 'reply') }, icon('reply')),
        this.isOpen && h('button', { class: 'plain icon-button', 'aria-label': 'More for this message', title: 'More', onclick: (event) => this.more(event.currentTarget) }, icon('more'))));
    if (hadFocus) this.fold.focus({ preventScroll: true });
  }

  details() {
    const { view } = this;
    if (!view) return;
    const people = (list) => list.map((person) => h('div', { dir: 'auto' }, person.name && `${person.name} `, h('span', { class: 'faint' }, `<${person.address}>`)));
    const line = (name, content) => content && content.length !== 0 && [h('dt', {}, name), h('dd', {}, content)];
    dialog('Details', h('dl', { class: 'details' },
      line('From', people(view.authors)), view.sender && line('Sent by', people([view.sender])), line('Answers to', people(view.reply_to)),
      line('To', people(view.all_to)), line('Cc', people(view.cc)), line('Bcc', people(view.bcc)), view.date && line('Date', fullTime(view.date)),
      line('Came', fullTime(view.time)), line('Subject', view.subject), view.list && line('List', view.list), view.message_id && line('Message-ID', view.message_id), line('Size', octets(view.size_octets))), { wide: true });
  }

  more(button) {
    const { row, reader } = this;
    const { acts, compose } = reader;
    const about = (change) => ({ ...change, selection: { messages: [row.key] } });
    menu(button, [
      { text: 'Reply', icon: 'reply', key: 'r', run: () => compose.answer(row.key, 'reply') },
      { text: 'Reply all', icon: 'replyAll', key: 'a', run: () => compose.answer(row.key, 'reply_all') },
      this.view?.list && { text: 'Reply to the list', icon: 'replyAll', run: () => compose.answer(row.key, 'reply_list') },
      { text: 'Forward', icon: 'forward', key: 'f', run: () => compose.answer(row.key, 'forward') },
      { text: 'Forward as attachment', icon: 'clip', run: () => compose.answer(row.key, 'forward_attached') },
      { text: 'Edit as new', icon: 'compose', run: () => compose.answer(row.key, 'again') },
      { text: row.is_read ? 'Mark unread' : 'Mark read', icon: 'unread', separated: true, run: () => acts.change(about({ change: 'read', read: !row.is_read })) },
      { text: row.is_flagged ? 'Take the flag off' : 'Flag', icon: 'flag', run: () => acts.change(about({ change: 'flag', flagged: !row.is_flagged })) },
      { text: 'Only this message to Trash', icon: 'trash', run: () => acts.change(about({ change: 'move', folder: 'trash' })) },
      { text: 'How it came', icon: 'shield', separated: true, run: async () => (await import('./story.js')).showStory(row.key) },
      { text: 'Show the source', icon: 'file', run: () => window.open(api.rawUrl(row.key, true), '_blank', 'noopener') },
      { text: 'Save as a file', icon: 'download', run: () => { location.href = api.rawUrl(row.key, false); } },
      { text: 'Print', icon: 'print', run: () => window.print() },
    ]);
  }

  draw() {
    const { view } = this;
    fill(this.body,
      view.warnings.map((warning) => h('p', { class: 'banner careful' }, icon('shield'), warningText(warning, view))),
      view.wants_receipt && this.receipt(),
      view.body.html?.remote_blocked && this.imagesBanner(),
      view.body.html?.trackers > 0 && h('p', { class: 'banner quiet' }, icon('shield'), `${view.body.html.trackers === 1 ? 'A tracking pixel was' : `${view.body.html.trackers} tracking pixels were`} taken out.`),
      view.report && this.report(),
      view.invitation && invitation(view.invitation),
      view.body.html ? this.frame() : this.text(),
      view.body.is_cut && h('p', { class: 'faint' }, 'The message is very long; the rest is in its source.'),
      this.attachments(),
      view.unsubscribe && h('p', { class: 'unsubscribe' }, h('button', { class: 'plain', onclick: () => this.unsubscribe() }, `Unsubscribe${view.list ? ` from ${view.list}` : ''}`)));
  }

  receipt() {
    const answer = async (consent) => { try { await api.receipt(this.row.key, consent); this.view.wants_receipt = false; this.draw(); } catch (error) { failed(error); } };
    return h('p', { class: 'banner' }, icon('unread'), h('span', { class: 'grow' }, 'The sender would like to be told that you read this.'), h('button', { onclick: () => answer(true) }, 'Tell them'), h('button', { class: 'plain', onclick: () => answer(false) }, 'No'));
  }

  imagesBanner() {
    const from = this.row.from.address;
    return h('p', { class: 'banner images-banner' }, icon('image'), h('span', { class: 'grow' }, 'Pictures from elsewhere are not shown: they would tell the sender that you read this.'),
      h('button', { class: 'show-images', onclick: () => this.read(true) }, 'Show'),
      h('button', { class: 'plain allow-images', onclick: async () => { try { await api.allowImages(from, true); await this.read(false); toast(`Pictures from ${from} are always shown.`, { undo: async () => { try { await api.allowImages(from, false); await this.read(false); } catch (error) { failed(error); } } }); } catch (error) { failed(error); } } }, `Always from ${from}`));
  }

  // The frame has no origin, so nobody can ask it how high it is. The same text is laid out out of sight,
  // rebuilt from structure alone, and measured.
  frame() {
    const { html } = this.view.body;
    const frame = h('iframe', { class: 'mail-frame', title: `Message from ${shown(this.row.from)}`, sandbox: 'allow-popups allow-popups-to-escape-sandbox', referrerpolicy: 'no-referrer', loading: 'eager', src: api.frameUrl(this.row.key, this.images) });
    const measure = () => {
      const width = frame.clientWidth;
      if (!width || width === this.width) return;
      this.width = width;
      const probe = h('div', { class: 'probe', 'aria-hidden': 'true' });
      probe.style.width = `${width - 4}px`;
      probe.append(rebuilt(html.html, { measures: true, picture: (image) => {
        const box = h('span', { class: 'probe-image' });
        const wide = parseFloat(image.getAttribute('width')) || 300;
        const high = parseFloat(image.getAttribute('height')) || (html.remote_blocked ? 24 : wide * 0.6);
        box.style.width = `${Math.min(wide, width)}px`;
        box.style.height = `${Math.min(2000, high * Math.min(1, width / wide))}px`;
        return box;
      } }));
      document.body.append(probe);
      frame.style.height = `${Math.max(60, Math.min(20000, probe.scrollHeight + 28))}px`;
      probe.remove();
    };
    new ResizeObserver(measure).observe(frame);
    const quotes = /<details class="quoted"/.test(html.html);
    const wrap = h('div', { class: 'frame-wrap' }, frame);
    return [wrap, quotes && h('p', { class: 'faint small' }, 'Quoted text is folded behind …; drag the lower edge of the frame to see more at once.')];
  }

  text() {
    const blocks = this.view.body.text;
    if (!blocks.some((block) => block.text.trim())) return h('p', { class: 'faint' }, this.view.attachments.length ? 'No words, only files.' : 'The message is empty.');
    const own = [];
    let quoted;
    for (const block of blocks) {
      const element = h('div', { class: `text ${block.kind}`, dir: 'auto' }, linked(block.text));
      if (block.kind === 'quoted' || block.kind === 'attribution') {
        element.style.setProperty('--depth', Math.min(block.depth, 6));
        if (!quoted) { quoted = h('details', { class: 'quoted' }, h('summary', { 'aria-label': 'Show quoted text', title: 'Show quoted text' }, '…')); own.push(quoted); }
        quoted.append(element);
      } else { quoted = undefined; own.push(element); }
    }
    return h('div', { class: 'words' }, own);
  }

  attachments() {
    const files = this.view.attachments.filter((part) => !part.is_inline || !this.view.body.html);
    if (!files.length) return null;
    return h('div', { class: 'files', role: 'group', 'aria-label': 'Attachments' }, files.map((part) => {
      const isImage = part.is_previewable && part.media_type.startsWith('image/');
      const open = async () => {
        if (part.is_risky && !(await confirmed('Save a program?', `“${part.name}” is a program. Whoever opens it lets the sender do anything on this computer.`, 'Save it all the same'))) return;
        if (isImage) dialog(part.name, h('img', { class: 'preview', src: api.partUrl(this.row.key, part.path, true), alt: part.name }), { wide: true });
        else if (part.is_previewable) window.open(api.partUrl(this.row.key, part.path, true), '_blank', 'noopener');
        else location.href = api.partUrl(this.row.key, part.path, false);
      };
      return h('div', { class: part.is_risky ? 'file risky' : 'file' },
        h('button', { class: 'file-open', onclick: open, title: part.is_previewable ? 'Look at it' : 'Save it' },
          isImage ? h('img', { src: api.partUrl(this.row.key, part.path, true), alt: '', loading: 'lazy' }) : icon(part.is_risky ? 'shield' : 'file'),
          h('span', { class: 'file-name', dir: 'auto' }, part.name), h('span', { class: 'faint' }, octets(part.size_octets))),
        h('a', { class: 'icon-button', href: api.partUrl(this.row.key, part.path, false), download: part.name, 'aria-label': `Save ${part.name}`, title: 'Save' }, icon('download')));
    }));
  }

  report() {
    const { report } = this.view;
    return h('section', { class: `report ${report.kind}` }, h('p', {}, h('strong', {}, report.text)),
      h('ul', {}, report.recipients.map((one) => h('li', {}, h('strong', {}, one.address), ' ', one.text, one.said && h('details', {}, h('summary', {}, `What the other host said${one.status ? ` (${one.status})` : ''}`), h('code', {}, one.said))))),
      report.about && h('button', { onclick: () => this.reader.compose.answer(report.about, 'again') }, 'Send it again'));
  }

  async unsubscribe() {
    const from = this.view.list ?? shown(this.row.from);
    if (!(await confirmed('Unsubscribe?', `You get no more mail from ${from}.`, 'Unsubscribe'))) return;
    try {
      const { left } = await api.unsubscribe(this.row.key);
      if (left?.page) window.open(left.page, '_blank', 'noopener,noreferrer');
      else if (left?.mail) this.reader.compose.fresh({ to: [{ name: '', address: left.mail.address }], subject: left.mail.subject });
      else toast(`You are unsubscribed from ${from}.`);
    } catch (error) { failed(error); }
  }
}

function warningText(warning, view) {
  if (warning.name_is_another_address) return `The sender calls itself “${warning.name_is_another_address.name}”, but the address is ${view.from.address}.`;
  if (warning.answers_go_elsewhere) return `Answers would go to ${warning.answers_go_elsewhere.address}, not to where this came from.`;
  if (warning === 'not_from_you') return 'It claims to be from you, but it was not sent through here.';
  if (warning === 'programs') return 'A file in it is a program. Open it only if you expected it.';
  const links = view.body.html?.links.filter((link) => link.is_deceptive) ?? [];
  return ['A link leads elsewhere than it says: ', links.slice(0, 5).map((link, index) => [index ? '; ' : '', `“${link.text}” leads to `, h('strong', { class: 'target' }, link.target)])];
}

function invitation(one) {
  const what = { REQUEST: 'Invitation', CANCEL: 'Cancelled', REPLY: 'Answer to an invitation' }[one.method] ?? 'Appointment';
  return h('section', { class: 'invitation' }, h('div', { class: 'faint' }, what), h('h3', { dir: 'auto' }, one.summary || 'Without a name'), h('p', {}, icon('clock'), ' ', one.when, one.repeats && `, ${one.repeats}`),
    one.location && h('p', { dir: 'auto' }, one.location), one.organizer && h('p', { class: 'faint' }, `invited by ${shown(one.organizer)}`), one.attendees.length > 0 && h('p', { class: 'faint' }, one.attendees.map(shown).join(', ')), one.description && h('p', { class: 'text', dir: 'auto' }, one.description));
}

// Addresses in plain text become links; what is seen is where they lead.
function linked(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"”»]+[^\s<>"”».,;:!?)\]'’]/g)) {
    parts.push(text.slice(at, match.index), h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer nofollow' }, match[0]));
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
