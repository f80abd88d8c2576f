// The interface, as docs/api.json describes it.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? '';
export const me = { address: meta('address'), name: meta('person') };
export const octetsMax = Number(meta('octets-max')) || 50e6;
const base = '/api/v1';
const e = encodeURIComponent;

export class Refused extends Error {
  constructor(status, error, message) { super(message); this.status = status; this.error = error; }
}

async function ask(method, path, body) {
  const headers = {};
  if (method !== 'GET') headers['x-csrf-token'] = meta('csrf');
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin' });
  } catch {
    throw new Refused(0, 'offline', 'The server can’t be reached.');
  }
  if (response.status === 401) location.assign('/mail/login');
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, answer?.error ?? 'failed', answer?.message ?? `It failed (${response.status}).`);
  return answer;
}

const get = (path, query) => {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return ask('GET', pairs.length ? `${path}?${new URLSearchParams(pairs)}` : path);
};
const post = (path, body) => ask('POST', path, body ?? {});
const put = (path, body) => ask('PUT', path, body);
const remove = (path) => ask('DELETE', path);

export const api = {
  folders: () => get('/folders'),
  createFolder: (name) => post('/folders', { name }),
  renameFolder: (key, name) => put(`/folders/${e(key)}`, { name }),
  removeFolder: (key) => remove(`/folders/${e(key)}`),
  labels: () => get('/labels'),
  conversations: (query) => get('/conversations', query),
  conversation: (key) => get(`/conversations/${e(key)}`),
  message: (key, images) => get(`/messages/${e(key)}`, images ? { remote_images: true } : {}),
  story: (key) => get(`/messages/${e(key)}/story`),
  change: (change) => post('/changes', change),
  undo: (undo) => post('/undo', { undo }),
  replyDraft: (key, kind) => get(`/messages/${e(key)}/reply`, { kind }),
  draft: (key) => get(`/drafts/${e(key)}`),
  saveDraft: (draft) => post('/drafts', draft),
  discardDraft: (key) => remove(`/drafts/${e(key)}`),
  send: (key, options) => post(`/drafts/${e(key)}/send`, options),
  unsend: (key) => remove(`/outbox/${e(key)}`),
  outbox: () => get('/outbox'),
  receipt: (key, consent) => post(`/messages/${e(key)}/receipt`, { consent }),
  unsubscribe: (key) => post(`/messages/${e(key)}/unsubscribe`),
  complete: (typed) => get('/addresses', { typed, limit: 8 }),
  contacts: () => get('/contacts'),
  putContact: (contact) => post('/contacts', contact),
  removeContact: (key) => remove(`/contacts/${e(key)}`),
  settings: () => get('/settings'),
  putSettings: (settings) => put('/settings', settings),
  allowImages: (sender, allowed) => put('/settings/images', { sender, allowed }),
  identities: () => get('/identities'),
  putIdentities: (identities) => put('/identities', identities),
  rules: () => get('/rules'),
  putRules: (rules) => put('/rules', rules),
  vacation: () => get('/vacation'),
  putVacation: (vacation) => put('/vacation', vacation),
  partUrl: (key, path, preview) => `${base}/messages/${e(key)}/parts/${e(path)}${preview ? '?preview=true' : ''}`,
  rawUrl: (key, preview) => `${base}/messages/${e(key)}/raw${preview ? '?preview=true' : ''}`,
  frameUrl: (key, images) => `/mail/frame/${e(key)}${images ? '?images=true' : ''}`,
};

// With progress, which fetch doesn't tell.
export function upload(file, name, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open('POST', `${base}/uploads?name=${e(name)}`);
    request.setRequestHeader('content-type', file.type || 'application/octet-stream');
    request.setRequestHeader('x-csrf-token', meta('csrf'));
    request.responseType = 'json';
    request.upload.addEventListener('progress', (event) => { if (event.lengthComputable) progress(event.loaded / event.total); });
    request.addEventListener('load', () => {
      if (request.status === 200 && request.response) resolve(request.response.key);
      else reject(new Refused(request.status, request.response?.error ?? 'failed', request.response?.message ?? 'The file was not taken.'));
    });
    request.addEventListener('error', () => reject(new Refused(0, 'offline', 'The server can’t be reached.')));
    request.addEventListener('abort', () => reject(new Refused(0, 'aborted', 'Not uploaded.')));
    request.send(file);
  });
  return { done, stop: () => request.abort() };
}

// News without asking; the browser itself connects again when the connection is lost.
export function listen(heard) {
  const source = new EventSource(`${base}/notices`);
  let wasLost = false;
  source.addEventListener('notice', (event) => heard(JSON.parse(event.data)));
  source.addEventListener('open', () => { if (wasLost) heard({ notice: 'everything' }); wasLost = false; });
  source.addEventListener('error', () => { wasLost = true; });
  return source;
}
