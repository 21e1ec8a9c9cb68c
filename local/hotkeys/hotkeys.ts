/** What a key in the terminal of `npm start` does. */
export type Hotkey = 'reload' | 'console' | 'pause' | 'faults' | 'quit' | 'help';

/** The keys in the order of the help. */
export const HOTKEY_TEXTS: readonly {
  readonly key: string;
  readonly hotkey: Hotkey;
  /** For the line with all keys. */
  readonly short: string;
  /** For the help. */
  readonly long: string;
}[] = [
  { key: 'r', hotkey: 'reload', short: 'reload', long: 'restart the functions with the saved fleet file' },
  { key: 'o', hotkey: 'console', short: 'console', long: 'open the console in a browser' },
  { key: 'p', hotkey: 'pause', short: 'pause', long: 'pause all writes to twins; press again to resume' },
  { key: 'f', hotkey: 'faults', short: 'faults', long: 'give all hubs a bad day; press again to end it' },
  { key: 'q', hotkey: 'quit', short: 'quit', long: 'stop the local stack (or Ctrl-C)' },
  { key: '?', hotkey: 'help', short: 'help', long: 'show or hide these lines' },
];

const CTRL_C = '\u0003';

/** The standard input, as far as hotkeys need it. */
export interface KeyInput {
  readonly isTTY?: boolean;
  setRawMode?(isRaw: boolean): unknown;
  setEncoding(encoding: 'utf8'): unknown;
  on(event: 'data', listener: (text: string) => void): unknown;
  off(event: 'data', listener: (text: string) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/**
 * Calls `onHotkey` for each hotkey that the user presses, in upper or lower case. Other keys do nothing. The terminal does
 * not turn Ctrl-C into a signal while it sends single keys, so Ctrl-C is a hotkey too.
 *
 * @returns a function that gives the terminal back; undefined if the input is not a terminal
 */
export function listenForHotkeys(
  input: KeyInput,
  onHotkey: (hotkey: Hotkey) => void,
): (() => void) | undefined {
  if (input.isTTY !== true || input.setRawMode === undefined) return undefined;
  const onData = (text: string) => {
    // A pasted text or a quick typist can send several keys at once. An arrow key sends one text that begins with Escape.
    if (text.startsWith('\u001b')) return;
    for (const key of text) {
      const hotkey = hotkeyOf(key);
      if (hotkey !== undefined) onHotkey(hotkey);
    }
  };
  input.setRawMode(true);
  input.setEncoding('utf8');
  input.on('data', onData);
  input.resume();
  return () => {
    input.off('data', onData);
    input.setRawMode?.(false);
    input.pause();
  };
}

function hotkeyOf(key: string): Hotkey | undefined {
  if (key === CTRL_C) return 'quit';
  return HOTKEY_TEXTS.find((each) => each.key === key.toLowerCase())?.hotkey;
}
