// Our own line icons, 20 by 20, drawn with one stroke width.

const PATHS = {
  inbox: 'M3 11l2-7h10l2 7v5H3zM3 11h4l1 2h4l1-2h4',
  drafts: 'M4 16l1-4 8-8 3 3-8 8zM11 6l3 3',
  sent: 'M3 10l14-6-5 13-3-5zM9 12l8-8',
  archive: 'M3 4h14v4H3zM4 8v8h12V8M8 11h4',
  junk: 'M7 3h6l4 4v6l-4 4H7l-4-4V7zM10 7v4M10 13.5v.1',
  trash: 'M4 6h12M8 6V4h4v2M5.5 6l.8 11h7.4l.8-11M8.5 9v5M11.500 9v5',
  folder: 'M3 5h5l2 2h7v9H3z',
  label: 'M3 4h7l7 7-6 6-7-7zM7 8v.1',
  search: 'M9 4a5 5 0 1 0 0 10a5 5 0 1 0 0-10M13 13l4 4',
  compose: 'M16 10v6H4V4h6M9 11l7-7M13.500 3.500l3 3',
  reply: 'M8 5L3 10l5 5M3 10h8c4 0 6 2 6 6',
  replyAll: 'M10 5l-5 5 5 5M5 10h6c4 0 6 2 6 6M6 5l-5 5 5 5',
  forward: 'M12 5l5 5-5 5M17 10H9c-4 0-6 2-6 6',
  clock: 'M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14M10 6v4l3 2',
  flag: 'M5 17V4c4-2 6 2 10 0v7c-4 2-6-2-10 0',
  unread: 'M3 6h14v10H3zM3 6l7 6 7-6',
  more: 'M4.500 10h.1M10 10h.1M15.500 10h.1',
  close: 'M5 5l10 10M15 5L5 15',
  back: 'M12 4l-6 6 6 6',
  menu: 'M3 5h14M3 10h14M3 15h14',
  clip: 'M15 9l-6 6a3.500 3.500 0 0 1-5-5l7-7a2.400 2.400 0 0 1 3.500 3.500l-6.500 6.500a1.200 1.200 0 0 1-1.700-1.700l5.700-5.800',
  check: 'M4 10l4 4 8-8',
  down: 'M5 8l5 5 5-5',
  image: 'M3 4h14v12H3zM3 14l4-4 3 3 3-3 4 4M13.500 7.500v.1',
  file: 'M5 3h7l3 3v11H5zM12 3v3h3',
  download: 'M10 3v9M6 9l4 4 4-4M4 16h12',
  gear: 'M10 7.500a2.500 2.500 0 1 0 0 5a2.500 2.500 0 1 0 0-5M10 2.500v2.500M10 15v2.500M2.500 10H5M15 10h2.500M4.700 4.700l1.800 1.800M13.500 13.500l1.800 1.800M4.700 15.300l1.800-1.800M13.500 6.500l1.800-1.800',
  shield: 'M10 3l6 2v5c0 4-3 6-6 7-3-1-6-3-6-7V5z',
  mute: 'M4 8v4h3l4 3V5L7 8zM14 8l3 4M17 8l-3 4',
  bold: 'M6 4h5a3 3 0 0 1 0 6H6zM6 10h6a3 3 0 0 1 0 6H6z',
  italic: 'M8 4h7M5 16h7M12 4L8 16',
  list: 'M7 5h10M7 10h10M7 15h10M3.500 5v.1M3.500 10v.1M3.500 15v.1',
  quote: 'M4 5v10M8 6h9M8 10h9M8 14h6',
  link: 'M8 12l4-4M9 6l2-2a3.500 3.500 0 0 1 5 5l-2 2M11 14l-2 2a3.500 3.500 0 0 1-5-5l2-2',
  wide: 'M11 4h5v5M16 4l-6 6M9 16H4v-5M4 16l6-6',
  print: 'M6 7V3h8v4M6 13H3V7h14v6h-3M6 11h8v6H6z',
  key: 'M7 9a3 3 0 1 0 0 6a3 3 0 1 0 0-6M9 10l7-7M13 6l2 2',
};

export function icon(name, title) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', `icon${['reply', 'replyAll', 'forward', 'back', 'sent', 'list', 'quote'].includes(name) ? ' turns' : ''}`);
  if (title) { svg.setAttribute('role', 'img'); svg.setAttribute('aria-label', title); } else svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', PATHS[name] ?? PATHS.folder);
  svg.append(path);
  return svg;
}
