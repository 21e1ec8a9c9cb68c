import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { openState, type State } from '../../src/cli/shell/state.ts';
import { withPackage } from '../../src/control/packages.ts';
import { withPause } from '../../src/control/pauses.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';
import { BUCKET_NAMES } from '../../src/store/tables/keys.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import type { Snapshot } from '../../src/twin/snapshot/snapshot.ts';
import type { TwinId } from '../../src/twin/snapshot/twin.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { at, ID, snapshotOf } from '../twin/twins.ts';
import { berth, type Flags, flags, listen, NOW } from './terminals.ts';

const BASE = { name: 'base', desired: { interval: 5 } };
const SAVER = { name: 'saver', when: 'reported.battery < 20', desired: { interval: 60 } };
const WATCH = { name: 'watch', mode: 'observe', desired: { net: { dns: 'a' } } };
const LARGE = { name: 'large', when: "'note' in tags", desired: { note: '=tags.note' } };
const fileOf = (...policies: readonly object[]) =>
  JSON.stringify({
    hubs: [{ host: ID.host, region: 'westeurope', tier: 'S1' }],
    twins: { redact: ['wifi.psk'], policies, rollout: { over: '2h' } },
  });
const OLD = fileOf(BASE, { ...SAVER, name: 'former' });
const NEW = fileOf(SAVER, { ...BASE, desired: { interval: 9 } }, WATCH, LARGE);
const HOSTILE = 'valve\u001b[2J';

let folder: string;
let state: State;
let env: Readonly<Record<string, string>>;

const file = (text: string): string => {
  const path = join(folder, String(Math.random()));
  writeFileSync(path, text);
  return path;
};
async function store(
  deviceId: string,
  parts: Partial<Snapshot> = {},
  id: Partial<TwinId> = {},
): Promise<void> {
  const full = { ...ID, ...id, deviceId };
  const { lastReconcile } = snapshotOf();
  const snapshot = snapshotOf({ lastReconcile: { ...lastReconcile, status: 'inSync' }, ...parts, id: full });
  await state.twins.save(await state.twins.load(full), { kind: 'snapshot', snapshot });
}

beforeAll(async () => {
  folder = temporaryFolder('what-if-twins');
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
  const old = parseFleet(OLD);
  if (!old.ok) throw new Error('the old file is wrong');
  const pause = { author: 'ann', reason: 'freeze', at: plus(NOW, -3_600_000) };
  await state.control.update((control) =>
    withPause(
      withPackage(control, '2026-11-20T00:00:00Z', old.fleet.twins.policies, plus(NOW, -86_400_000)),
      { kind: 'policy', name: 'saver' },
      pause,
    ),
  );
  await store('pump-1', { desired: { interval: 5 }, reported: { interval: 5, battery: 90 } });
  await store('pump-2', {
    desired: { interval: 5 },
    reported: { battery: 10, wifi: { psk: 'redacted:ab' } },
  });
  await store('pump-3', { desired: { interval: 9 }, reported: { interval: 9 }, etag: undefined });
  await store(HOSTILE, { desired: { interval: 9, net: { dns: 'a' } }, tags: { note: 'x'.repeat(5_000) } });
  await store('pump-4', { unread: { since: at(0), why: 'a gap' } });
  await store('pump-5', { suspended: { why: 'the quota is spent' } });
  await store('pump-1', {}, { moduleId: 'collector' });
  const gone = { ...ID, deviceId: 'pump-6' };
  await state.twins.save(await state.twins.load(gone), { kind: 'deleted', at: at(0) });
}, 60_000);

async function asked(question: Flags = {}, settings = env) {
  const said = listen(settings);
  const code = await berth(said.cli, 'what-if', ...flags({ fleet: file(NEW), twins: true, ...question }));
  return { code, text: said.out(), notes: said.err() };
}
const cells = (text: string, first: string) =>
  text
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
    .find(([cell]) => cell === first);

describe('berth what-if --twins', () => {
  test('shows hubs, policies, statuses and the first patches as text', async () => {
    const { code, text, notes } = await asked();

    expect(code).toBe(0);
    expect(text).toMatch(
      /^5 twins planned with revision [0-9a-f]{12}, compared with the present twins; not planned: 1 deleted, 1 suspended, 1 unread\n/,
    );
    expect(cells(text, ID.host)).toEqual([
      ID.host,
      '5',
      '2 (40 %)',
      '2',
      '6',
      '1 min',
      '1 day',
      '1 min',
      'rate, 25 writes a second',
    ]);
    expect(text).toContain(
      '2 twins would be written, 2 properties in 6 messages, when every rollout is complete and nothing is paused.',
    );
    expect(text).toContain('The writes of saver, base are spread over 2 h (twins.rollout.over).');
    expect(cells(text, 'saver')).toEqual([
      'saver',
      'new',
      'enforce',
      ...['1', '1', '0', '0', '0', '0'],
      'over 2 h, from its deployment; paused now, for 1 h, by ann: freeze',
    ]);
    expect(cells(text, 'base')?.slice(1, 9)).toEqual(['changed', 'enforce', '3', '1', '0', '0', '0', '0']);
    expect(cells(text, 'watch')?.slice(1, 9)).toEqual(['new', 'observe', '4', '0', '3', '0', '0', '0']);
    expect(cells(text, 'large')?.slice(1, 9)).toEqual(['new', 'enforce', '1', '0', '0', '0', '1', '0']);
    expect(cells(text, 'former')?.slice(0, 2)).toEqual(['former', 'removed']);
    expect(cells(text, '3')).toEqual(['3', 'inSync', 'drifted']);
    expect(text).toMatch(
      /saver would write to 1 twin:\n.*\n +pump-2 +weu\.azure-devices\.net +interval +5 -> 60/,
    );
    expect(text).toMatch(/ +pump-1 +weu\.azure-devices\.net +interval +5 -> 9/);
    expect(text).toMatch(
      /large +valve\\u001b\[2J +\S+ +note +rejected +cannot be written: note is a string over 4 KB/,
    );
    expect(text).not.toContain('\u001b');
    expect(notes).toMatch(/^State: 127\.0\.0\.1:\d+\.\n$/);
  });

  test('prints the same result as JSON, and the same JSON for the same input', async () => {
    const fleet = file(NEW);
    const { text } = await asked({ fleet, json: true });

    expect(JSON.parse(text)).toMatchObject({
      twins: { planned: 5, apart: { deleted: 1, suspended: 1, unread: 1 } },
      writes: { count: 2, properties: 2, messages: 6, slowest: ID.host },
      policies: [
        {
          name: 'saver',
          change: 'new',
          rollout: { kind: 'begins', overHours: 2 },
          paused: { author: 'ann' },
          patches: [
            { hub: ID.host, deviceId: 'pump-2', changes: [{ path: 'interval', before: 5, after: 60 }] },
          ],
        },
        { name: 'base', change: 'changed' },
        { name: 'watch', held: 3 },
        { name: 'large', problems: [{ deviceId: HOSTILE, status: 'rejected' }] },
        { name: 'former', change: 'removed' },
      ],
    });
    expect((await asked({ fleet, json: true })).text).toBe(text);
  });

  test('says for each device its stage and when it is reached, and how many twins each stage writes', async () => {
    const rollout = {
      stages: [
        { name: 'low', where: 'reported.battery < 50', atLeast: '30m' },
        { name: 'all', share: 1, approve: true },
      ],
    };
    const fleet = file(fileOf({ name: 'p', desired: { p: 1 }, rollout }));

    const { text } = await asked({ fleet });

    expect(text).toContain('The stages of p, with the twins that each would write. Gates come on top:');
    expect(cells(text, 'low')).toEqual(['low', '1', 'at once']);
    expect(cells(text, 'all')).toEqual(['all', '3', 'after 30 min at the earliest, after an approval']);
    expect(text).toMatch(/ +pump-2 +\S+ +p +\(absent\) -> 1 +stage low, at once\n/);
    expect(text).toMatch(
      / +pump-1 +\S+ +p +\(absent\) -> 1 +stage all, after 30 min at the earliest, after an approval\n/,
    );
    const [policy] = JSON.parse((await asked({ fleet, json: true })).text).policies;
    expect(policy).toMatchObject({
      stages: [
        { name: 'low', written: 1, afterMs: 0, needsApproval: false },
        { name: 'all', written: 3, afterMs: 1_800_000, needsApproval: true },
      ],
    });
    expect(policy.patches).toContainEqual(
      expect.objectContaining({ deviceId: 'pump-2', reached: expect.objectContaining({ stage: 'low' }) }),
    );
  });

  test('compares with another fleet file', async () => {
    const { text } = await asked({ fleet: file(OLD), against: file(OLD) });

    expect(text).toContain('No twin would change its status.');
    expect(cells(text, 'base')?.slice(0, 2)).toEqual(['base', 'unchanged']);
    expect(cells(text, 'base')?.at(-1)).toBe('complete');
  });

  test('shows as many patches as --first allows', async () => {
    expect((await asked({ first: '0' })).text).not.toContain('would write to');
    expect((await asked({ fleet: file(fileOf({ name: 'p', desired: { p: 1 } })), first: '1' })).text).toMatch(
      /p would write to 4 twins, such as:\n.*\n +pump-1 +weu\.azure-devices\.net +p +\(absent\) -> 1\n(?! +pump)/,
    );
  });

  test('fails if the writes exceed --max-writes, and says by how many', async () => {
    await expect(asked({ maxWrites: '1' })).rejects.toMatchObject({
      code: 'BERTH_TOO_MANY_WRITES',
      message: '2 twins would be written; --max-writes allows 1.',
    });
    expect(await asked({ maxWrites: '2' })).toMatchObject({
      code: 0,
      notes: expect.stringContaining('2 twins would be written; at most 2 are allowed.'),
    });
  });

  test('ignores the hubs of other stamps', async () => {
    const { text } = await asked({ json: true }, { ...env, BERTH_STAMP: 'us' });

    expect(JSON.parse(text)).toMatchObject({
      writes: { count: 0 },
      twins: { planned: 0, apart: { elsewhere: 7 } },
    });
  });

  test('writes nothing to the state', async () => {
    const known = async () => {
      const etags: (string | undefined)[] = [];
      for (const bucket of BUCKET_NAMES) {
        for await (const { etag } of state.twins.records(bucket)) etags.push(etag);
      }
      return [etags, await state.control.read()];
    };
    const before = await known();

    await asked();

    expect(await known()).toEqual(before);
  });

  test('warns if the state tables know no twin', async () => {
    const { code, text } = await asked({}, { AzureWebJobsStorage: await storageAccount() });

    expect(code).toBe(0);
    expect(text).toContain('Warning: the state tables contain no twins, so nothing was tried.');
  });

  test.each<[string, Flags, RegExp]>([
    [
      '--devices together with --twins',
      { devices: '10' },
      /^Use --devices only without --twins: run the command once/,
    ],
    [
      'placement flags together with --twins',
      { devices: '10', payload: ['{}'], maxMoves: '1' },
      /^Use --devices, --payload, --max-moves only without --twins/,
    ],
    ['a limit that is not a number', { maxWrites: 'few' }, /--max-writes is "few": write a whole number/],
    ['more than 1,000 patches', { first: '5000' }, /--first is 5000: write at most 1,000\./],
    [
      'flags about twins without --twins',
      { twins: false, devices: '10', maxWrites: '1', first: '2' },
      /^Use --max-writes, --first only with --twins/,
    ],
    [
      'a call without --devices and --twins',
      { twins: false },
      /^Give --devices \(which devices would move\) or --twins/,
    ],
  ])('refuses %s', async (_, question, message) => {
    await expect(asked(question)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(message),
    });
  });
});
