// Fetched only when somebody asks.

import { fill, fullTime, h } from './dom.js';
import { api } from './api.js';
import { dialog } from './dialogs.js';

// How a message came: its hops as a picture, and this host's part of the story.
export async function showStory(key) {
  const body = h('div', {}, h('p', { class: 'faint' }, 'Reading the journal…'));
  dialog('How it came', body, { wide: true });
  try {
    const { hops, stories } = await api.story(key);
    fill(body,
      h('p', { class: 'faint' }, 'Each host writes its name on a message that it takes. Only what this host wrote itself is certain.'),
      hops.length === 0 && h('p', {}, 'No host wrote its name on it: it was made here.'),
      h('ol', { class: 'hops' }, hops.map((hop, index) => [
        index === 0 && h('li', { class: 'hop start' }, h('strong', {}, hop.from || 'somebody')),
        h('li', { class: index === hops.length - 1 ? 'hop ours' : 'hop' },
          h('span', { class: 'hop-way' }, [hop.with, hop.took_secs !== null && hop.took_secs !== undefined && `${hop.took_secs} s`].filter(Boolean).join(' · ')),
          h('strong', {}, hop.by || 'a host without a name'), hop.at && h('span', { class: 'faint' }, fullTime(hop.at))),
      ])),
      stories.map((story) => h('section', { class: 'story' }, h('h3', {}, `Here, as ${story.id}`),
        h('ul', {}, story.lines.map((line) => h('li', { class: `mood-${line.mood}` }, h('time', {}, new Date(line.at).toLocaleTimeString()),
          h('div', {}, line.text, line.details.map((detail) => h('div', { class: 'faint' }, detail)))))))),
      stories.length === 0 && h('p', { class: 'faint' }, 'The journal knows nothing of it (any more).'));
  } catch (error) { fill(body, h('p', {}, error.message)); }
}
