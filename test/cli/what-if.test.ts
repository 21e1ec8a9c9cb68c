import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, type Flags, flags, listen } from './terminals.ts';

let folder: string;
beforeAll(() => {
  folder = temporaryFolder('what-if');
});
const file = (text: string): string => {
  const path = join(folder, String(Math.random()));
  writeFileSync(path, text);
  return path;
};
const hub = (name: string, more: object = {}) => ({
  host: `${name}.azure-devices.net`,
  region: 'westeurope',
  tier: 'S1',
  ...more,
});
const fleet = (...hubs: readonly object[]) =>
  file(JSON.stringify({ hubs, allocation: { moves: { over: '2d' } } }));

async function asked(options: Flags) {
  const { cli, out, err } = listen();
  const code = await berth(cli, 'what-if', ...flags(options));
  return { code, text: out(), notes: err() };
}

describe('berth what-if', () => {
  test('shows shares, moves, hours and reasons as text', async () => {
    const { code, text } = await asked({
      fleet: fleet(hub('weu'), hub('eus', { state: 'draining' })),
      against: fleet(hub('weu'), hub('eus')),
      devices: '10000',
    });

    expect(code).toBe(0);
    expect(text).toMatch(/^10,000 devices with revision [0-9a-f]{12}, compared with /);
    expect(text).toMatch(
      /weu\.azure-devices\.net +1 +100 % +5,0\d\d \(50 %\) +10,000 \(100 %\) +10,000 \(100 %\) +4,9\d\d +0\.8/,
    );
    expect(text).toMatch(
      /4,9\d\d \(50 %\) would move when they register again: spread over 48 h\. That takes at least \d+ min at the limit of weu/,
    );
    expect(text).toMatch(
      /4,9\d\d +eus\.azure-devices\.net +weu\.azure-devices\.net +the current hub is draining +device-0/,
    );
  });

  test('prints the same result as JSON', async () => {
    const { text } = await asked({ fleet: fleet(hub('weu')), devices: '2500', json: true });

    expect(JSON.parse(text)).toMatchObject({
      devices: 2_500,
      hubs: [{ fresh: 2_500 }],
      moves: { count: 0, groups: [] },
    });
  });

  test('says that no device would go elsewhere', async () => {
    expect((await asked({ fleet: fleet(hub('weu')), devices: '10' })).text).toContain(
      'No device would move.',
    );
  });

  test('fails if the moves exceed --max-moves, and says which number allows them', async () => {
    const options = {
      fleet: fleet(hub('weu'), hub('eus', { state: 'draining' })),
      against: fleet(hub('weu'), hub('eus')),
      devices: '100',
    };

    await expect(asked({ ...options, maxMoves: '5' })).rejects.toMatchObject({
      code: 'BERTH_TOO_MANY_MOVES',
      message: expect.stringMatching(
        /^\d+ devices would move and 0 would no longer get a hub; --max-moves allows 5\.$/,
      ),
    });
    const { moves } = JSON.parse((await asked({ ...options, json: true })).text) as {
      readonly moves: { readonly count: number };
    };
    expect(await asked({ ...options, maxMoves: String(moves.count) })).toMatchObject({
      code: 0,
      notes: expect.stringContaining(`at most ${moves.count} are`),
    });
    await expect(asked({ ...options, maxMoves: String(moves.count - 1) })).rejects.toThrow(/allows/);
  });

  test('counts devices that no hub can take against --max-moves', async () => {
    const closed = file(
      JSON.stringify({ hubs: [hub('weu')], allocation: { rules: [{ name: 'closed', deny: 'closed' }] } }),
    );

    await expect(
      asked({ fleet: closed, against: fleet(hub('weu')), devices: '7', maxMoves: '6' }),
    ).rejects.toThrow('0 devices would move and 7 would no longer get a hub; --max-moves allows 6.');
  });

  test('reads devices from a file with empty lines in several chunks', async () => {
    const lines = Array.from(
      { length: 4_500 },
      (_, index) => `{"deviceId":"d${index}","hub":"weu.azure-devices.net"}`,
    );
    const { text } = await asked({
      fleet: fleet(hub('weu')),
      devices: file(`${lines.join('\r\n')}\n\n`),
      json: true,
    });

    expect(JSON.parse(text)).toMatchObject({ devices: 4_500, hubs: [{ before: 4_500, after: 4_500 }] });
  });

  test('names the line that does not describe a device', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) =>
      index === 2_344 ? 'nope' : `{"deviceId":"d${index}"}`,
    );

    await expect(asked({ fleet: fleet(hub('weu')), devices: file(lines.join('\n')) })).rejects.toMatchObject({
      code: 'BERTH_DEVICES_INVALID',
      message: expect.stringContaining('Line 2345 of '),
    });
  });

  test.each<[string, Flags, string]>([
    ['a number of devices of 0', { devices: '0' }, 'BERTH_ARGUMENT_INVALID'],
    ['too many devices', { devices: '99999999999' }, 'BERTH_ARGUMENT_INVALID'],
    ['a file that does not exist', { devices: '/nowhere' }, 'BERTH_FILE_UNREADABLE'],
    ['a file without devices', { devices: '/dev/null' }, 'BERTH_DEVICES_INVALID'],
    ['payloads for known devices', { devices: '/dev/null', payload: ['{}'] }, 'BERTH_ARGUMENT_INVALID'],
    ['a payload that is not JSON', { devices: '1', payload: ['country=DE'] }, 'BERTH_ARGUMENT_INVALID'],
    ['a limit that is not a number', { devices: '1', maxMoves: 'few' }, 'BERTH_ARGUMENT_INVALID'],
    [
      'another fleet file that does not exist',
      { devices: '1', against: '/nowhere' },
      'BERTH_FILE_UNREADABLE',
    ],
  ])('refuses %s with a code', async (_, options, code) => {
    await expect(asked({ fleet: fleet(hub('weu')), devices: '1', ...options })).rejects.toMatchObject({
      code,
    });
  });
});
