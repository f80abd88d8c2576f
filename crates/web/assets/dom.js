// Elements made without markup in strings: text stays text, whoever wrote it.

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name === 'value' || name === 'checked' || name === 'disabled') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

export const isRtl = () => document.documentElement.dir === 'rtl';

// Times: today by the clock, this year by the day, else by the year.
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const year = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: '2-digit', minute: '2-digit' });

export function shortTime(text) {
  const time = new Date(text);
  const now = new Date();
  if (time.toDateString() === now.toDateString()) return clock.format(time);
  return time.getFullYear() === now.getFullYear() ? day.format(time) : year.format(time);
}
export const fullTime = (text) => full.format(new Date(text));
export const soonTime = (date) => weekday.format(date);

export function octets(count) {
  if (count < 1000) return `${count} bytes`;
  const units = ['kB', 'MB', 'GB'];
  let value = count;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function later(milliseconds, work) {
  let timer = 0;
  const wait = (...given) => { clearTimeout(timer); timer = setTimeout(() => work(...given), milliseconds); };
  wait.cancel = () => clearTimeout(timer);
  return wait;
}

export const shown = (person) => person.name || person.address;

// A colour that a person keeps, from the address.
export function hue(text) {
  let sum = 0;
  for (const letter of text.toLowerCase()) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

export function avatar(person) {
  const letter = [...(shown(person) || '?').replace(/^[^\p{L}\p{N}]+/u, '')][0] ?? '?';
  const element = h('span', { class: 'avatar', 'aria-hidden': 'true' }, letter.toUpperCase());
  element.style.setProperty('--hue', hue(person.address || ''));
  return element;
}

// What of a stranger's sanitised HTML may be made anew in our own page: structure and text, never an address.
const STRUCTURE = new Set(['P', 'DIV', 'SPAN', 'BR', 'B', 'I', 'U', 'S', 'EM', 'STRONG', 'A', 'UL', 'OL', 'LI', 'BLOCKQUOTE',
  'PRE', 'CODE', 'H1', 'H2', 'H3', 'H4', 'H5', 'H6', 'HR', 'TABLE', 'TBODY', 'THEAD', 'TFOOT', 'TR', 'TD', 'TH', 'CENTER',
  'FONT', 'DETAILS', 'SUMMARY', 'SMALL', 'SUB', 'SUP', 'DL', 'DT', 'DD', 'FIGURE', 'SECTION', 'ARTICLE', 'IMG']);
const MEASURES = ['font', 'width', 'height', 'min-height', 'max-width', 'padding', 'padding-top', 'padding-bottom', 'padding-left',
  'padding-right', 'margin', 'margin-top', 'margin-bottom', 'font-size', 'line-height', 'display', 'font-weight'];

// `picture` decides what stands for an image: null leaves it out.
export function rebuilt(html, { measures = false, links = false, picture = () => null } = {}) {
  // Our policy forbids style attributes, also in a document that nobody sees; to measure, they are only read.
  const text = measures ? html.replace(/\sstyle=/gi, ' data-style=') : html;
  const source = new DOMParser().parseFromString(text, 'text/html').body;
  const copy = (from, to) => {
    for (const node of from.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) { to.append(node.data); continue; }
      if (node.nodeType !== Node.ELEMENT_NODE || !STRUCTURE.has(node.tagName)) continue;
      if (node.tagName === 'IMG') {
        const image = picture(node);
        if (image) to.append(image);
        continue;
      }
      const element = document.createElement(node.tagName);
      if (links && node.tagName === 'A' && /^(https?:|mailto:)/i.test(node.getAttribute('href') ?? '')) element.setAttribute('href', node.getAttribute('href'));
      if (measures) {
        for (const pair of (node.dataset.style ?? '').split(';')) {
          const [name, value] = pair.split(':').map((part) => part.trim().toLowerCase());
          if (value && MEASURES.includes(name) && !value.includes('(')) element.style.setProperty(name, value);
        }
        for (const name of ['width', 'height', 'cellpadding', 'cellspacing', 'colspan', 'rowspan', 'size']) if (node.hasAttribute(name)) element.setAttribute(name, node.getAttribute(name));
      }
      copy(node, element);
      to.append(element);
    }
  };
  const made = document.createDocumentFragment();
  copy(source, made);
  return made;
}
