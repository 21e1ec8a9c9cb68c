import type { Addresses } from '../hotkeys/actions.ts';
import { HOTKEY_TEXTS } from '../hotkeys/hotkeys.ts';

/** How the last lines of the live view look: `lines` without a keyboard, else the keys in one line or all explained. */
export type FooterKind = 'lines' | 'keys' | 'help';

/** The last lines of the live view. Each fits into 80 columns. */
export function footerLines(kind: FooterKind, addresses: Addresses): readonly string[] {
  switch (kind) {
    case 'lines':
      return [...addressLines(addresses), 'Press Ctrl-C to stop the local stack.'];
    case 'keys':
      return [consoleLine(addresses), HOTKEY_TEXTS.map(({ key, short }) => `${key} ${short}`).join('   ')];
    case 'help':
      return [...HOTKEY_TEXTS.map(({ key, long }) => `${key}        ${long}`), ...addressLines(addresses)];
  }
}

function addressLines({ functionsUrl, controlUrl, functionKey }: Addresses): readonly string[] {
  return [
    consoleLine({ controlUrl }),
    `fleet    curl -H x-functions-key:${functionKey} ${typed(functionsUrl)}/api/fleet`,
    `hubs     curl ${typed(controlUrl)}/hubs`,
  ];
}

function consoleLine({ controlUrl }: Pick<Addresses, 'controlUrl'>): string {
  return `console  ${controlUrl}/`;
}

/** An address as people type it. */
function typed(url: string): string {
  return url.replace('http://127.0.0.1', 'localhost');
}
