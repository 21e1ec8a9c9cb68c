import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Cli } from '../../src/cli/shell/cli.ts';
import { openState, type State } from '../../src/cli/shell/state.ts';
import type { DeadLetter } from '../../src/store/dead-letters/dead-letter-store.ts';
import { plus } from '../../src/time/epoch-ms.ts';
import { redactBody } from '../../src/twin/redaction/redact-body.ts';
import { letterOf } from '../store/letters.ts';
import { storageAccount } from '../support/storage-account.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { at, fleetOf, ID, snapshotOf } from '../twin/twins.ts';
import { berth, type Flags, flags, listen, NOW } from './terminals.ts';

let folder: string;
let fleet: string;
let env: Readonly<Record<string, string>>;
let state: State;
beforeAll(async () => {
  folder = temporaryFolder('letters');
  fleet = join(folder, 'fleet.json');
  const { file } = fleetOf({ policies: [{ name: 'p', desired: { a: 1 } }] });
  writeFileSync(fleet, JSON.stringify({ ...file, $schema: undefined }));
  env = { AzureWebJobsStorage: await storageAccount() };
  state = openState(env);
}, 60_000);
beforeEach(async () => {
  for await (const page of state.deadLetters.summaries({})) {
    await state.deadLetters.delete(page.map(({ key }) => key));
  }
  for (const counts of [state.letterHours, state.unknownSources, state.unknownHubs])
    await counts.forget(plus(NOW, 86_400_000));
});

const keep = (...letters: readonly Partial<DeadLetter>[]) =>
  Promise.all(letters.map((parts) => state.deadLetters.keep(letterOf(parts))));
const kept = async () => {
  const ids: string[] = [];
  for await (const page of state.deadLetters.summaries({})) ids.push(...page.map(({ id }) => id));
  return ids;
};
/** What moves a cursor, hides or reorders text, in one body or name. */
const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\r\u009b31m\u202eabc\u200b\u2028\u{e0041}\u007f';
const DRIVES_TERMINALS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const deadLetters = (cli: Cli, command: string, ids: readonly string[] = [], options: Flags = {}) =>
  berth(cli, 'dead-letters', command, ...ids, ...flags(options));
const lines = (text: string) => text.trimEnd().split('\n');

describe('berth dead-letters list', () => {
  const list = async (options: Flags = {}) => {
    const said = listen(env);
    const code = await deadLetters(said.cli, 'list', [], options);
    return { code, out: said.out(), err: said.err() };
  };

  test('lists the newest dead letters first, one a line, and counts those that it leaves out', async () => {
    await keep(
      { sequenceNumber: 1, enqueuedAt: '2026-11-24T08:00:00.000Z' },
      { sequenceNumber: 2, enqueuedAt: '2026-11-25T09:00:00.000Z', partition: '1' },
      { sequenceNumber: 3, enqueuedAt: '2026-11-25T08:00:00.000Z', partition: '0' },
      { sequenceNumber: 4, enqueuedAt: '2026-11-01T08:00:00.000Z' },
    );

    const { code, out, err } = await list({ limit: '2' });

    expect(code).toBe(0);
    expect(lines(out).map((line) => line.split(/ {2,}/))).toEqual([
      ['id', 'time', 'code', 'hub', 'device', 'reason'],
      [
        expect.stringMatching(/^2026-11-25\/1\/2\/[0-9a-f]{8}$/),
        '2026-11-25T09:00:00.000Z',
        'BERTH_EVENT_NOT_JSON',
        'weu',
        'pump-1',
        'has a body that is not JSON',
      ],
      expect.arrayContaining([expect.stringMatching(/^2026-11-25\/0\/3\//)]),
    ]);
    expect(err).toMatch(/^2 shown, 1 older ones not shown. Use --limit.* State: 127\.0\.0\.1:\d+\.\n$/);
    expect((await list()).err).toContain('3 in all.');
    expect((await list({ since: '60d' })).err).toContain('4 in all.');
    expect((await list({ until: '2026-11-20' })).err).toContain('No dead letters.');
  });

  test('filters dead letters by time, by code, and by the short or full name of a hub', async () => {
    await keep(
      { sequenceNumber: 1, code: 'BERTH_DEFECT' },
      { sequenceNumber: 2, properties: { hubName: 'EUS' }, systemProperties: {} },
    );

    expect((await list({ code: 'berth_defect' })).out).toContain('2026-11-23/3/1/');
    const eus = await list({ hub: 'eus.azure-devices.net' });
    expect(lines(eus.out)).toHaveLength(2);
    expect(lines(eus.out)[1]).toMatch(/ {2}EUS {2,}- {2,}has a body/);
    expect((await list({ hub: 'nobody' })).out).toBe('');
    expect((await list({ since: '1d' })).out).toBe('');
    expect(lines((await list({ since: '2026-11-23T12:00Z', until: '2026-11-23T12:01Z' })).out)).toHaveLength(
      3,
    );
  });

  test('prints the dead letters as JSON with --json', async () => {
    await keep({ systemProperties: { 'iothub-connection-module-id': 'm' }, properties: {} });

    expect(JSON.parse((await list({ json: true })).out)).toEqual({
      letters: [
        {
          id: expect.stringMatching(/^2026-11-23\/3\/1234\//),
          enqueuedAt: '2026-11-23T12:00:00.000Z',
          code: 'BERTH_EVENT_NOT_JSON',
          hub: null,
          deviceId: null,
          moduleId: 'm',
          reason: 'has a body that is not JSON',
        },
      ],
      more: 0,
      isCounted: true,
    });
  });

  test('escapes and shortens names and reasons so that they cannot control the terminal', async () => {
    await keep({
      reason: `${HOSTILE}\n${'r'.repeat(490)}`,
      properties: { hubName: HOSTILE },
      systemProperties: { 'iothub-connection-device-id': `${HOSTILE}${'d'.repeat(9_000)}` },
    });

    const plain = await list();
    const json = await list({ json: true });

    expect(lines(plain.out)).toHaveLength(2);
    for (const { out } of [plain, json]) expect(out.replaceAll('\n', '')).not.toMatch(DRIVES_TERMINALS);
    expect(plain.out).toContain('\\u001b[2J');
    expect(plain.out.length).toBeLessThan(1_500);
    expect(JSON.parse(json.out).letters[0]).toMatchObject({
      hub: '(not a host name)',
      reason: expect.stringContaining(HOSTILE),
    });
  });

  test.each<[string, Flags, RegExp]>([
    ['a value that is not a time', { since: 'yesterday' }, /--since is "yesterday": write a duration/],
    ['a time without a zone', { until: '2026-11-25T10:00' }, /--until is "2026-11-25T10:00"/],
    ['a range that ends before it begins', { since: '1d', until: '2d' }, /is not before --until 2d/],
    [
      'a code that no dead letter has',
      { code: 'BERTH_NO_HUB_NOW' },
      /write one of BERTH_DEFECT, BERTH_EVENT_NOT_JSON/,
    ],
    ['a limit of 0', { limit: '0' }, /--limit is "0"/],
  ])('refuses %s', async (_, options, message) => {
    await expect(list(options)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

describe('berth dead-letters counts', () => {
  const counts = async (options: Flags = {}) => {
    const said = listen(env);
    expect(await deadLetters(said.cli, 'counts', [], options)).toBe(0);
    return { out: said.out(), err: said.err() };
  };

  test('counts the events that were not kept, and dead-letters list mentions that number', async () => {
    expect((await counts()).out).toBe(
      [
        'Above the cap of dead letters, since 7d: none.',
        'From sources that this package does not know: none.',
        'From unknown hubs (not in the fleet file): none.',
        '',
      ].join('\n'),
    );
    const beyond = { hub: HOSTILE, source: 'twinchangeevents', code: 'BERTH_EVENT_NOT_JSON', events: 12_345 };
    await state.letterHours.addBeyond([beyond], '3', NOW);
    await state.letterHours.addBeyond([beyond], '3', plus(NOW, -8 * 86_400_000));
    await state.unknownSources.add([{ hub: 'weu', source: 'moonevents', events: 3 }], { now: NOW });
    await state.unknownHubs.add('far', 2, NOW);

    const { out, err } = await counts();

    expect(lines(out).map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['Above the cap of dead letters, since 7d: 12,345 events.'],
      ['events', 'hub', 'source', 'code', 'last'],
      [
        '12,345',
        expect.stringContaining('\\u001b[2J'),
        'twinchangeevents',
        'BERTH_EVENT_NOT_JSON',
        new Date(NOW).toISOString(),
      ],
      ['From sources that this package does not know: 3 events.'],
      ['events', 'hub', 'source', 'last'],
      ['3', 'weu', 'moonevents', new Date(NOW).toISOString()],
      ['From unknown hubs (not in the fleet file): 2 events.'],
      ['events', 'hub', 'last'],
      ['2', 'far', new Date(NOW).toISOString()],
    ]);
    expect(out.replaceAll('\n', '')).not.toMatch(DRIVES_TERMINALS);
    expect(err).toMatch(/^State: 127/);
    expect((await counts({ since: '30d' })).out).toContain('since 30d: 24,690 events.');
    expect(JSON.parse((await counts({ json: true })).out)).toMatchObject({
      onlyCounted: [{ hub: HOSTILE, events: 12_345 }],
      unknownSources: [{ source: 'moonevents', events: 3 }],
      unknownHubs: [{ hubName: 'far', events: 2 }],
    });
    const listed = listen(env);
    await deadLetters(listed.cli, 'list');
    expect(listed.err()).toContain('12,345 more events of any hub and code were only counted');
    const asJson = listen(env);
    await deadLetters(asJson.cli, 'list', [], { json: true });
    expect(JSON.parse(asJson.out())).toMatchObject({ onlyCounted: 12_345 });
  });
});

describe('berth dead-letters show', () => {
  const show = async (id: string, options: Flags = {}) => {
    const said = listen(env);
    const code = await deadLetters(said.cli, 'show', [id], options);
    return { code, out: said.out() };
  };

  test('shows place, reason, properties and the body as text', async () => {
    await keep({ body: Buffer.from('{\n  "version": ') });

    const { code, out } = await show('2026-11-23/3/1234');

    expect(code).toBe(0);
    expect(lines(out)).toEqual([
      expect.stringMatching(/^dead letter {5}2026-11-23\/3\/1234\/[0-9a-f]{8}$/),
      'received        2026-11-23T12:00:00.000Z, partition 3, sequence number 1234',
      'code            BERTH_EVENT_NOT_JSON',
      'reason          has a body that is not JSON',
      'properties:',
      '  hubName: "weu"',
      '  operationTimestamp: "2026-11-23T11:59:59.5Z"',
      '  opType: "updateTwin"',
      'system properties:',
      '  iothub-message-source: "twinChangeEvents"',
      '  iothub-connection-device-id: "pump-1"',
      'body: 15 bytes, text',
      '  {',
      '    "version":',
    ]);
  });

  test('escapes the content so that it can neither control the terminal nor imitate the output', async () => {
    await keep({
      body: Buffer.from(`${HOSTILE}\ncode            ALL IS WELL\n`),
      properties: { [HOSTILE]: HOSTILE },
      reason: HOSTILE,
    });

    for (const json of [false, true]) {
      const { out } = await show('2026-11-23/3/1234', { json });
      expect(out.replaceAll('\n', '')).not.toMatch(DRIVES_TERMINALS);
      expect(out).not.toMatch(/^code {12}ALL/m);
    }
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      'not UTF-8',
      Buffer.from([0x22, 0xff, 0x41]),
      /body: 3 bytes, not UTF-8\n {2}000000 {2}22 ff 41 {40} ".A\n/,
    ],
    ['empty', new Uint8Array(), /body: 0 bytes, empty\n$/],
    [
      'long text',
      Buffer.from('x'.repeat(9_000)),
      /\n {2}x{4000}\nThe body is longer: use --body to write all of it\.\n$/,
    ],
    ['long and binary', Buffer.alloc(9_000, 0xff), /0001f0 {2}(ff ){16}.*\nThe body is longer/],
    [
      'longer than what is kept, and cut inside a character',
      Buffer.from(`a${'é'.repeat(400_000)}`),
      /body: 800,001 bytes, text\n {2}aé+\nThe body is longer: .*\nOnly its first 589,824 bytes are stored\.\n$/,
    ],
  ])('shows a body that is %s', async (_, body, expected) => {
    await keep({ body });

    expect((await show('2026-11-23/3/1234')).out).toMatch(expected);
  });

  test('writes the body byte for byte to a file or a pipe, but refuses a terminal', async () => {
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256));
    await keep({ body });
    const { cli } = listen(env);
    const chunks: Buffer[] = [];
    cli.terminal.out.on('data', (chunk: Buffer) => chunks.push(chunk));

    await deadLetters(cli, 'show', ['2026-11-23/3/1234'], { body: true });

    expect(Buffer.concat(chunks).equals(body)).toBe(true);
    const screen = Object.assign(listen(env).cli.terminal.out, { isTTY: true });
    const seen = { ...cli, terminal: { ...cli.terminal, out: screen } };
    await expect(deadLetters(seen, 'show', ['2026-11-23/3/1234'], { body: true })).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringContaining('> FILE'),
    });
  });

  test('prints a dead letter as JSON, with the body as text or in base64', async () => {
    await keep({ sequenceNumber: 1 }, { sequenceNumber: 2, body: Buffer.from([0xff]) });

    expect(JSON.parse((await show('2026-11-23/3/1', { json: true })).out)).toEqual({
      ...letterOf(),
      sequenceNumber: 1,
      id: expect.stringMatching(/^2026-11-23\/3\/1\//),
      cut: [],
      body: { bytes: 8, text: 'not json' },
    });
    expect(JSON.parse((await show('2026-11-23/3/2', { json: true })).out).body).toEqual({
      bytes: 1,
      base64: '/w==',
    });
    await expect(show('2026-11-23/3/1', { json: true, body: true })).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
    });
  });

  test.each<[string, string, string, RegExp]>([
    [
      'a text that is not an id',
      'pump-1',
      'BERTH_ARGUMENT_INVALID',
      /"pump-1" is not an id of a dead letter/,
    ],
    [
      'a dead letter that does not exist',
      '2026-11-23/3/9',
      'BERTH_DEAD_LETTER_UNKNOWN',
      /^Unknown dead letter: "2026-11-23\/3\/9"\. .* in 127/,
    ],
    [
      'a short id that two dead letters share',
      '2026-11-23/3/1234',
      'BERTH_ARGUMENT_INVALID',
      /matches 2 dead letters: write one of 2026-11-23\/3\/1234\/[0-9a-f]{8}, 2026-11-23\/3\/1234\/[0-9a-f]{8}\./,
    ],
  ])('refuses %s', async (_, id, code, message) => {
    await keep({}, { body: Buffer.from('other') });

    await expect(show(id)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('berth dead-letters replay', () => {
  const GOOD = Buffer.from(JSON.stringify({ version: 3, properties: { reported: { a: 1, $version: 2 } } }));
  const of = (deviceId: string) => ({
    systemProperties: { ...letterOf().systemProperties, 'iothub-connection-device-id': deviceId },
  });
  const replay = async (ids: readonly string[], options: Flags = {}) => {
    const said = listen(env);
    const code = await deadLetters(said.cli, 'replay', ids, { fleet, ...options });
    return { code, out: said.out(), err: said.err() };
  };
  const known = async (deviceId: string) => (await state.twins.load({ ...ID, deviceId })).known;

  test('marks the twins of the dead letters that it can decode now, and explains why the others stay', async () => {
    const gone = { ...ID, deviceId: 'gone' };
    const record = await state.twins.load({ ...ID, deviceId: 'there' });
    await state.twins.save(record, { kind: 'snapshot', snapshot: snapshotOf({ id: record.id, version: 9 }) });
    await state.twins.save(await state.twins.load(gone), { kind: 'deleted', at: at(5) });
    await keep(
      { sequenceNumber: 1, body: GOOD, ...of('there') },
      { sequenceNumber: 2, body: GOOD, ...of('new#1'), code: 'BERTH_DEFECT', reason: 'TypeError: x' },
      { sequenceNumber: 3, body: GOOD, ...of('gone') },
      { sequenceNumber: 4, systemProperties: { 'iothub-message-source': 'Telemetry' } },
      { sequenceNumber: 5 },
      { sequenceNumber: 6, properties: { hubName: '\u001b[31mfar' } },
      { sequenceNumber: 8, properties: { hubName: 'far' } },
      { sequenceNumber: 7, properties: { ...letterOf().properties, note: 'x'.repeat(40_000) }, body: GOOD },
    );

    const { code, out, err } = await replay([], { all: true });

    expect(code).toBe(1);
    expect(lines(out).sort()).toEqual([
      expect.stringMatching(/^2026-11-23\/3\/5\/\S+ stays: it has a body that is not JSON$/),
      expect.stringMatching(
        /\/6\/\S+ stays: it is from \(not a host name\), which the fleet file does not list$/,
      ),
      expect.stringMatching(/\/7\/\S+ stays: it has properties that were too long to be stored in full$/),
      expect.stringMatching(/\/8\/\S+ stays: it is from far, which the fleet file does not list$/),
    ]);
    expect(lines(err)).toEqual([
      '8 dead letters decoded again.',
      expect.stringMatching(/^ {2}2 marked/),
      expect.stringMatching(/^ {2}1 of twins that have been deleted since/),
      expect.stringMatching(/^ {2}1 of a kind that Berth does not need/),
      expect.stringMatching(/^ {2}4 not decoded/),
      expect.stringMatching(/^State: /),
    ]);
    const unread = {
      why: expect.stringMatching(/^dead letter 2026-11-23\/3\/\d\/[0-9a-f]{8} was replayed$/),
    };
    const workItem = { priority: 'drift', at: NOW };
    expect(await known('there')).toMatchObject({ snapshot: { version: 9, unread, workItem } });
    expect(await known('new#1')).toMatchObject({ snapshot: { version: 0, reported: {}, unread, workItem } });
    expect(await known('gone')).toEqual({ kind: 'deleted', at: at(5) });
    expect((await kept()).map((id) => id.split('/')[2])).toEqual(['5', '6', '7', '8']);
  });

  test('marks the twin for a read where the body of the dead letter is redacted', async () => {
    const psk = 'hunter2';
    const body = { version: 3, properties: { reported: { wifi: [{ psk }], $version: 2 } } };
    const redaction = { paths: [['wifi', 'psk'], ['version']], key: Buffer.alloc(32, 1) };
    const redacted = redactBody(Buffer.from(JSON.stringify(body)), redaction);
    await keep({ body: redacted.body, isRedacted: true, code: 'BERTH_DEFECT', ...of('secretive') });
    const shown = listen(env);
    await deadLetters(shown.cli, 'show', ['2026-11-23/3/1234']);

    const { code, err } = await replay([], { all: true });

    expect(shown.out()).toMatch(/\nbody: \d+ bytes, text, redacted: not the original bytes\n/);
    expect(shown.out()).toContain('{"psk":"redacted:');
    expect(code).toBe(0);
    expect(err).toContain('1 marked: resyncFleet reads their twins');
    expect(await known('secretive')).toMatchObject({ snapshot: { version: 0, reported: {} } });
  });

  test('skips a dead letter whose message source is unknown', async () => {
    await keep({ systemProperties: { 'iothub-message-source': 'moonEvents' } });

    expect((await replay([], { all: true })).err).toContain('1 of a kind that Berth does not need');
  });

  test('replays only the given ids, or with --all only what the filters select', async () => {
    await keep(
      { sequenceNumber: 1, body: GOOD },
      { sequenceNumber: 2, body: GOOD },
      { sequenceNumber: 3, body: GOOD, code: 'BERTH_DEFECT' },
      { sequenceNumber: 4, body: GOOD, enqueuedAt: '2026-11-20T12:00:00.000Z' },
    );
    const numbers = async () => (await kept()).map((id) => id.split('/')[2]);

    expect((await replay(['2026-11-23/3/1', '2026-11-23/3/01'])).err).toContain(
      '1 dead letter decoded again.',
    );
    expect(await numbers()).toEqual(['4', '2', '3']);
    expect((await replay([], { all: true, code: 'BERTH_DEFECT' })).code).toBe(0);
    expect(await numbers()).toEqual(['4', '2']);
    await replay([], { all: true, since: '3d' });
    expect(await numbers()).toEqual(['4']);
  });

  test('replays dead letters of the hubs of its own stamp only', async () => {
    await keep({ body: GOOD });
    const said = listen({ ...env, BERTH_STAMP: 'elsewhere' });

    expect(await deadLetters(said.cli, 'replay', [], { fleet, all: true })).toBe(1);
    expect(said.out()).toContain('is from weu, which the fleet file does not list');
  });

  test('changes nothing where one id is unknown or the fleet file cannot be read', async () => {
    await keep({ body: GOOD });
    const before = await kept();

    await expect(replay(['2026-11-23/3/1234', '2026-11-23/3/9'])).rejects.toMatchObject({
      code: 'BERTH_DEAD_LETTER_UNKNOWN',
    });
    await expect(replay([], { all: true, fleet: join(folder, 'none.json') })).rejects.toMatchObject({
      code: 'BERTH_FILE_UNREADABLE',
    });
    expect(await kept()).toEqual(before);
  });

  test.each<[string, readonly string[], Flags, RegExp]>([
    ['a call without ids and without --all', [], {}, /give ids or --all/],
    ['a filter without --all', [], { code: 'BERTH_DEFECT' }, /give ids or --all/],
    [
      'ids together with --all',
      ['2026-11-23/3/1'],
      { all: true, since: '1d' },
      /Give ids or --all and --since, not both/,
    ],
    ['a text that is not an id', ['all'], {}, /"all" is not an id/],
  ])('refuses %s', async (_, ids, options, message) => {
    await expect(replay(ids, options)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(message),
    });
  });
});

describe('berth dead-letters purge', () => {
  const purge = async (ids: readonly string[], options: Flags = {}) => {
    const said = listen(env);
    await deadLetters(said.cli, 'purge', ids, options);
    return said.err();
  };
  const three = () =>
    keep(
      { sequenceNumber: 1, enqueuedAt: '2026-11-20T12:00:00.000Z' },
      { sequenceNumber: 2 },
      { sequenceNumber: 3, enqueuedAt: '2026-11-23T13:00:00.000Z' },
    );
  const numbers = async () => (await kept()).map((id) => id.split('/')[2]);

  test('deletes one dead letter without --yes', async () => {
    await three();

    expect(await purge(['2026-11-23/3/2'])).toMatch(/^1 dead letter deleted\. State: 127/);
    expect(await numbers()).toEqual(['1', '3']);
    expect(await purge([], { before: '3d' })).toContain('1 dead letter deleted.');
    expect(await numbers()).toEqual(['3']);
    expect(await purge([], { before: '2026-11-20' })).toContain('0 dead letters deleted.');
  });

  test.each<[string, readonly string[], Flags, readonly string[]]>([
    ['several ids', ['2026-11-20/3/1', '2026-11-23/3/2'], {}, ['3']],
    ['all dead letters before a time', [], { before: '2026-11-23T13:00Z' }, ['3']],
    ['all', [], { all: true }, []],
  ])('deletes %s only with --yes', async (_, ids, options, left) => {
    await three();

    await expect(purge(ids, options)).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringMatching(/more than one dead letter in 127.*Add --yes/),
    });
    expect(await numbers()).toEqual(['1', '2', '3']);
    await purge(ids, { ...options, yes: true });
    expect(await numbers()).toEqual(left);
  });

  test.each<[string, readonly string[], Flags, string]>([
    ['a call without ids and without filters', [], { yes: true }, 'BERTH_ARGUMENT_INVALID'],
    ['--all together with --before', [], { all: true, before: '1d' }, 'BERTH_ARGUMENT_INVALID'],
    ['ids together with --all', ['2026-11-23/3/2'], { all: true, yes: true }, 'BERTH_ARGUMENT_INVALID'],
    ['a value that is not a time', [], { before: 'x', yes: true }, 'BERTH_ARGUMENT_INVALID'],
    [
      'an unknown id among others',
      ['2026-11-23/3/2', '2026-11-23/3/9'],
      { yes: true },
      'BERTH_DEAD_LETTER_UNKNOWN',
    ],
  ])('refuses %s, and deletes nothing', async (_, ids, options, code) => {
    await three();

    await expect(purge(ids, options)).rejects.toMatchObject({ code });
    expect(await numbers()).toEqual(['1', '2', '3']);
  });
});
