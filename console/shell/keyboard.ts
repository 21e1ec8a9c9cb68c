/** What a key does, for the help. */
export const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['j, ↓', 'next row of the list'],
  ['k, ↑', 'row before'],
  ['Enter', 'open the row'],
  ['/', 'search'],
  ['g f', 'go to Fleet'],
  ['g d', 'go to Devices'],
  ['g p', 'go to Policies'],
  ['g r', 'go to Rollouts'],
  ['g a', 'go to Attention'],
  ['g q', 'go to Queue'],
  ['g l', 'go to Dead letters'],
  ['t', 'light or dark theme'],
  ['?', 'this help'],
  ['Esc', 'close'],
];

const PLACES: Readonly<Record<string, string>> = {
  f: '#/fleet',
  d: '#/devices',
  p: '#/policies',
  r: '#/rollouts',
  a: '#/attention',
  q: '#/queue',
  l: '#/dead-letters',
};

/** Listens for keys until the returned function is called. Keys that the reader types into a field are left alone. */
export function listenForKeys(actions: { help(): void; theme(): void }): () => void {
  let isGoing = false;
  const onKey = (event: KeyboardEvent) => {
    const wasGoing = isGoing;
    isGoing = false;
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('dialog[open]') !== null) return;
    const place = wasGoing ? PLACES[event.key] : undefined;
    if (place !== undefined) {
      location.hash = place;
    } else if (event.key === 'g') {
      isGoing = true;
      return;
    } else if (event.key === '/') focusSearch();
    else if (event.key === '?') actions.help();
    else if (event.key === 't') actions.theme();
    else if (event.key === 'j' || event.key === 'ArrowDown') {
      if (!moveRow(1, event)) return;
    } else if (event.key === 'k' || event.key === 'ArrowUp') {
      if (!moveRow(-1, event)) return;
    } else return;
    event.preventDefault();
  };
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, select, textarea, [contenteditable]');
}

function focusSearch(): void {
  const search =
    document.querySelector<HTMLInputElement>('[data-search="page"]') ??
    document.querySelector<HTMLInputElement>('[data-search="device"]');
  search?.focus();
  search?.select();
}

/** Arrow keys scroll the page as long as no row has the focus; j and k begin at the first row. */
function moveRow(by: 1 | -1, { key, target }: KeyboardEvent): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>('main [data-row]')];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const isArrow = key.startsWith('Arrow');
  if (isArrow && (at === -1 || (target instanceof Element && target.closest('.plot') !== null))) return false;
  const next = at === -1 ? rows[0] : rows[at + by];
  if (next === undefined) return isArrow;
  const link = next.querySelector<HTMLElement>('[data-row-link]') ?? next;
  link.focus();
  next.scrollIntoView({ block: 'nearest' });
  return true;
}
