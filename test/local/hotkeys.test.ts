import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { HOTKEY_TEXTS, type Hotkey, listenForHotkeys } from '../../local/hotkeys/hotkeys.ts';

/** A keyboard that remembers whether the terminal sends single keys. */
function keyboard(isTTY = true) {
  const raw: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY,
    setRawMode: (isRaw: boolean) => void raw.push(isRaw),
  });
  return { input, raw };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the hotkeys of npm start', () => {
  test('each key of the help has its effect, in upper and lower case', async () => {
    const { input } = keyboard();
    const pressed: Hotkey[] = [];
    listenForHotkeys(input, (hotkey) => pressed.push(hotkey));

    for (const { key } of HOTKEY_TEXTS) input.write(`${key}${key.toUpperCase()}`);
    await settled();

    expect(pressed).toEqual(HOTKEY_TEXTS.flatMap(({ hotkey }) => [hotkey, hotkey]));
  });

  test('Ctrl-C quits, because the terminal sends it as a key', async () => {
    const { input } = keyboard();
    const pressed: Hotkey[] = [];
    listenForHotkeys(input, (hotkey) => pressed.push(hotkey));

    input.write('\u0003');
    await settled();

    expect(pressed).toEqual(['quit']);
  });

  test.each([
    ['other letters', 'xyz1 \n'],
    ['an arrow key', '\u001b[A'],
    ['a function key whose code contains a hotkey', '\u001bOq'],
  ])('%s have no effect', async (_, text) => {
    const { input } = keyboard();
    const pressed: Hotkey[] = [];
    listenForHotkeys(input, (hotkey) => pressed.push(hotkey));

    input.write(text);
    await settled();

    expect(pressed).toEqual([]);
  });

  test('the terminal is given back at the end, and keys have no effect after it', async () => {
    const { input, raw } = keyboard();
    const pressed: Hotkey[] = [];
    const stop = listenForHotkeys(input, (hotkey) => pressed.push(hotkey));

    stop?.();
    input.write('q');
    await settled();

    expect(raw).toEqual([true, false]);
    expect(pressed).toEqual([]);
  });

  test('a pipe has no hotkeys', () => {
    const { input, raw } = keyboard(false);

    expect(listenForHotkeys(input, () => {})).toBeUndefined();
    expect(raw).toEqual([]);
  });
});
