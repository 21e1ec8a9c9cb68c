import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readLocalFleet } from '../../local/fleet-file.ts';
import { FleetWatch } from '../../local/watch/fleet-watch.ts';
import { eventually } from '../support/eventually.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const QUIET_MS = 30;
/** Much longer than a save needs to be noticed. */
const NOTICED_MS = 300;

const fileWith = (weight: number, host = 'weu') =>
  JSON.stringify({
    hubs: [{ host: `${host}.azure-devices.net`, region: 'westeurope', tier: 'S1', weight }],
  });

let folder: string;
let file: string;
let estimates: number;
let effect: () => Promise<string>;
let watch: FleetWatch;
beforeEach(() => {
  folder = temporaryFolder('watch');
  file = join(folder, 'fleet.json');
  writeFileSync(file, fileWith(1));
  estimates = 0;
  effect = async () => '12 devices would move, 4 twins would be written';
  watch = new FleetWatch({
    file,
    fleet: readLocalFleet(file),
    effectOf: () => {
      estimates += 1;
      return effect();
    },
    howToUse: 'press r',
    quietMs: QUIET_MS,
  });
  watch.start();
});
afterEach(() => watch.stop());

const noticeMatches = (pattern: RegExp) =>
  eventually(
    () => watch.notice,
    (notice) => pattern.test(notice ?? ''),
  );
const WOULD_MOVE = /^fleet\.json: 12 devices would move, 4 twins would be written: press r$/;

describe('a saved fleet file', () => {
  test('is shown with its effect when it is written in place', async () => {
    writeFileSync(file, fileWith(2));

    await noticeMatches(WOULD_MOVE);
  });

  test('is shown when the editor replaces the file, each time', async () => {
    for (const weight of [2, 3]) {
      writeFileSync(join(folder, 'fleet.json~'), fileWith(weight));
      renameSync(join(folder, 'fleet.json~'), file);
      await noticeMatches(WOULD_MOVE);
      expect(watch.use()).toMatchObject({ kind: 'ready' });
    }
  });

  test('is shown when the editor deletes the file first', async () => {
    rmSync(file);
    await delay(NOTICED_MS);
    expect(watch.notice).toBeUndefined();
    writeFileSync(file, fileWith(2));

    await noticeMatches(WOULD_MOVE);
  });

  test('is estimated once, although the editor writes it in several steps', async () => {
    for (const part of [1, 2, 3]) writeFileSync(file, fileWith(2).slice(0, part * 20));
    writeFileSync(file, fileWith(2));

    await noticeMatches(WOULD_MOVE);
    await delay(NOTICED_MS);
    expect(estimates).toBe(1);
  });

  test('is not shown without a change, and no longer when the change is undone', async () => {
    writeFileSync(file, fileWith(1));
    await delay(NOTICED_MS);
    expect([watch.notice, estimates]).toEqual([undefined, 0]);

    writeFileSync(file, fileWith(2));
    await noticeMatches(WOULD_MOVE);
    writeFileSync(file, fileWith(1));
    await eventually(() => watch.notice === undefined);
  });

  test('is refused with the reason if it is not valid', async () => {
    writeFileSync(file, '{"hubs":[]}');

    await noticeMatches(/^fleet\.json is not valid: hubs/);
    expect(watch.use()).toMatchObject({ kind: 'refused' });
    expect(estimates).toBe(0);
  });

  test('is refused if it has other hubs, because the local hubs exist since the start', async () => {
    writeFileSync(file, fileWith(1, 'neu'));

    await noticeMatches(/^fleet\.json has other hubs: stop npm start/);
  });

  test('is in force after its use, so the notice ends', async () => {
    writeFileSync(file, fileWith(2));
    await noticeMatches(WOULD_MOVE);

    expect(watch.use()).toMatchObject({ kind: 'ready' });

    expect(watch.notice).toBeUndefined();
    expect(watch.use()).toEqual({ kind: 'none' });
  });

  test('does not show an estimate that arrives after a newer save', async () => {
    let finish: (text: string) => void = () => {};
    effect = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    writeFileSync(file, fileWith(2));
    await eventually(() => estimates === 1);
    writeFileSync(file, '{');
    await noticeMatches(/is not valid/);

    finish('1 device would move');
    await delay(0);

    expect(watch.notice).toMatch(/is not valid/);
  });
});

test('a folder that cannot be watched is a notice and no error', () => {
  const missing = new FleetWatch({
    file: join(folder, 'no-folder', 'fleet.json'),
    fleet: readLocalFleet(file),
    effectOf: effect,
    howToUse: 'press r',
  });

  missing.start();

  expect(missing.notice).toMatch(/^fleet\.json is not watched \(ENOENT.*\)\. After a change: press r$/);
  missing.stop();
});
