import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { deviceProfiles } from '../../local/devices/device-profiles.ts';
import { FleetProgress } from '../../local/progress.ts';
import { footerLines } from '../../local/view/footer.ts';
import { hubNames } from '../../local/view/hub-names.ts';
import { type LiveModel, renderLive } from '../../local/view/live-view.ts';
import { placementLine } from '../../local/view/placement-line.ts';
import { type PolicyLine, policyLines } from '../../local/view/policy-lines.ts';
import { progressLine } from '../../local/view/progress-line.ts';
import { openScreen } from '../../local/view/screen.ts';
import { duration } from '../../local/view/text.ts';
import { type FaultLine, type ShownTrouble, troubleLines } from '../../local/view/trouble-lines.ts';

function policy(told: Partial<PolicyLine>): PolicyLine {
  return {
    name: 'slow-night',
    mode: 'enforce',
    rollout: 1,
    reached: 0,
    held: 0,
    rejected: 0,
    contested: 0,
    pausedBy: undefined,
    ...told,
  };
}

function letters(count: number, more = false): ShownTrouble['deadLetters'] {
  return { count, more, since: '2026-11-18' };
}

const MODEL: LiveModel = {
  upMs: 185_000,
  devices: 3,
  hubs: [
    {
      name: 'weu',
      state: 'active',
      wanted: 0.75,
      expected: { share: 0.7, spread: 0.26 },
      devices: 2,
      connected: 2,
      twinReads: 0,
      twinWrites: 4,
    },
    {
      name: 'eus',
      state: 'draining',
      wanted: 0.25,
      expected: undefined,
      devices: 1,
      connected: 0,
      twinReads: 1,
      twinWrites: 12,
    },
  ],
  twins: { states: { inSync: 2, rejected: 1, pending: 0 }, agoMs: 4_000 },
  corrections: 16,
  changes: 200,
  hubOps: 17,
  telemetry: { messages: 1, perSecond: 0.4 },
  unread: 0,
  policies: [policy({ name: 'battery-saver', reached: 1 }), policy({ name: 'interval', reached: 2 })],
  trouble: { pauses: [], untrusted: [], faults: [], hubs: 2, deadLetters: letters(0) },
  placements: ['11:59:59  sim-0003  → sea: 5 ms (next: weu 160 ms)'],
  latest: ['12:00:01  sim-0001  battery 15 %: applied the interval 1 min'],
  footer: ['q quit'],
  processes: [
    { name: 'supervisor', pid: 1, running: true, restarts: 0 },
    { name: 'azurite', pid: 2, running: true, restarts: 0 },
    { name: 'function host', pid: 3, running: true, restarts: 0 },
  ],
};

describe('the live view', () => {
  test('fits into 80 columns with long names, all states and three-digit counts', () => {
    const hubs = MODEL.hubs.map((hub) => ({
      ...hub,
      name: 'a-name-of-13…',
      state: 'draining',
      wanted: 1,
      expected: { share: 1, spread: 0.11 },
      devices: 250,
      connected: 250,
      twinReads: 9_999,
      twinWrites: 99_999,
    }));
    const addresses = {
      functionsUrl: 'http://127.0.0.1:65535',
      controlUrl: 'http://127.0.0.1:65535',
      functionKey: 'local-function-key',
    };

    for (const kind of ['lines', 'keys', 'help'] as const) {
      const lines = renderLive({ ...MODEL, hubs, footer: footerLines(kind, addresses) });
      expect(lines.filter((line) => line.length > 79)).toEqual([]);
      expect(lines).toContain('console  http://127.0.0.1:65535/');
    }
  });

  test('leaves out the oldest messages if the terminal is low', () => {
    const latest = ['one', 'two', 'three'];
    const placements = ['a', 'b'];
    const model = { ...MODEL, placements, latest };
    const full = renderLive(model);
    const shown = (rows: number) =>
      renderLive(model, rows).filter((line) => [...placements, ...latest].includes(line));

    expect(shown(full.length + 1)).toEqual(['a', 'b', 'one', 'two', 'three']);
    expect(shown(full.length)).toEqual(['a', 'b', 'two', 'three']);
    expect(shown(full.length - 2)).toEqual(['b', 'three']);
    expect(shown(3)).toEqual([]);
    expect(renderLive(model, full.length - 2).length).toBeLessThan(full.length - 2);
  });

  test('shows devices per hub against the weights, twins by status, and the cost of a change', () => {
    expect(renderLive(MODEL)).toEqual([
      'Berth, locally: 3 simulated devices, up 3 min',
      '',
      'hub     state  wanted   expected  actual  online  reads  writes',
      'weu    active    75 %  70 ± 26 %    67 %  2 of 2      0       4',
      'eus  draining    25 %          -    33 %  0 of 1      1      12',
      '',
      'twins    2 in sync, 1 rejected (counted 4 s ago)',
      'cost     16 corrections for 200 reported changes, 0.09 hub operations each',
      'sent     1 telemetry message, 0.4 a second',
      'events   0 unread',
      '',
      '11:59:59  sim-0003  → sea: 5 ms (next: weu 160 ms)',
      '12:00:01  sim-0001  battery 15 %: applied the interval 1 min',
      '',
      'q quit',
    ]);
  });

  test('marks unknown values, and says that the function host is down', () => {
    const hubs = MODEL.hubs.map((hub) => ({ ...hub, devices: 0 }));
    const lines = renderLive({
      ...MODEL,
      hubs,
      twins: undefined,
      unread: undefined,
      changes: 0,
      placements: [],
      latest: [],
      processes: [
        { name: 'azurite', pid: null, running: false, restarts: 1 },
        { name: 'function host', pid: null, running: false, restarts: 0 },
      ],
    });

    expect(lines[0]).toContain('; Azurite is down and restarts; the function host is down');
    expect(lines.join('\n')).toContain('twins    not counted yet');
    expect(lines.join('\n')).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test('the live view shows which processes have been restarted', () => {
  const processes = [
    { name: 'azurite', pid: 2, running: true, restarts: 1 },
    { name: 'function host', pid: 3, running: true, restarts: 2 },
    { name: 'simulated devices', pid: 4, running: true, restarts: 0 },
  ];

  expect(renderLive({ ...MODEL, processes })).toContain('restarts azurite 1 time, function host 2 times');
  expect(renderLive(MODEL).join('\n')).not.toContain('restarts');
});

describe('the short names of hubs', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    [
      'leave out the shared beginning',
      ['contoso-weu.azure-devices.net', 'contoso-neu.azure-devices.net'],
      ['weu', 'neu'],
    ],
    ['keep parts of words', ['pump-weu-1.x.net', 'pump-web-2.x.net'], ['weu-1', 'web-2']],
    ['keep the first part of a single hub', ['contoso-weu.azure-devices.net'], ['contoso-weu']],
    ['have at most 13 characters', ['abcdefghijklmnopqrstuvwxyz.x.net', 'b.x.net'], ['abcdefghijkl…', 'b']],
    ['keep a name that is the beginning of another one', ['hub-a.x.net', 'hub-a-2.x.net'], ['a', 'a-2']],
  ])('%s', (_, hosts, names) => {
    expect([...hubNames(hosts).values()]).toEqual(names);
  });
});

describe('the line about the place of a device', () => {
  const names = new Map([
    ['sea.net', 'sea'],
    ['weu.net', 'weu'],
    ['neu.net', 'neu'],
  ]);
  const line = (told: Partial<Parameters<typeof placementLine>[0]>) =>
    placementLine(
      {
        at: '2026-11-28T20:00:00Z',
        result: { kind: 'assigned', host: 'sea.net', how: 'placed' },
        hubs: [
          { host: 'sea.net', latencyMs: 5, weight: 1 },
          { host: 'weu.net', latencyMs: 160, weight: 0.02 },
          { host: 'neu.net', latencyMs: 166, weight: 0.01 },
        ],
        rules: [],
        ...told,
      },
      names,
    );

  test('shows the latency and the next hub', () => {
    expect(line({})).toBe('→ sea: 5 ms (next: weu 160 ms)');
  });

  test('shows the rule that applied, and no hub that is excluded', () => {
    const hubs = [
      { host: 'weu.net', latencyMs: 12, weight: 2 },
      { host: 'neu.net', latencyMs: 26, weight: 1 },
      { host: 'sea.net', latencyMs: 157, excluded: 'does not meet a require rule' },
    ];
    const rules = [
      { name: 'eu-residency', result: 'matched', applied: true },
      { name: 'retired', result: 'unknown', applied: false },
    ];

    expect(line({ result: { kind: 'assigned', host: 'weu.net', how: 'moved' }, hubs, rules })).toBe(
      'moves → weu: 12 ms (next: neu 26 ms), rule eu-residency',
    );
    expect(
      line({ result: { kind: 'assigned', host: 'weu.net', how: 'stayed' }, hubs: hubs.slice(0, 1) }),
    ).toBe('stays on weu: 12 ms');
  });

  test('shows the chance of a hub if another hub is nearer', () => {
    expect(line({ result: { kind: 'assigned', host: 'weu.net', how: 'placed' } })).toBe(
      '→ weu: 160 ms (chance 2 %; next: sea 5 ms)',
    );
  });

  test('shows no latency if none is known', () => {
    const hubs = [
      { host: 'weu.net', weight: 2 },
      { host: 'neu.net', weight: 1 },
    ];

    expect(line({ result: { kind: 'assigned', host: 'weu.net', how: 'placed' }, hubs })).toBe(
      '→ weu (next: neu)',
    );
  });

  test('shows the reason of the rule for a refusal', () => {
    const message = 'Rule "retired" denies the registration: model x0 is retired.';

    expect(line({ result: { kind: 'refused', message } })).toBe(`refused: ${message}`);
  });
});

describe('the policies of the live view', () => {
  test('policies that reach every device without problems are hidden', () => {
    expect(policyLines([policy({ reached: 20 }), policy({ mode: 'observe', reached: 5 })])).toEqual([]);
  });

  test('policies are shown with rollout, rejections, and the author of a pause', () => {
    expect(
      policyLines([
        policy({ name: 'interval', reached: 20 }),
        policy({ name: 'slow-night', rollout: 0.416, reached: 8, held: 12 }),
        policy({ name: 'battery-saver', rollout: 0.999, reached: 40, rejected: 6, pausedBy: 'Berth' }),
        policy({ name: 'a-name-that-is-much-longer-than-most', contested: 1 }),
        policy({ name: 'look', mode: 'observe', held: 3 }),
      ]),
    ).toEqual([
      'policy                  rollout  reached  held  rejected  contested  paused by',
      'slow-night                 41 %        8    12         0          0',
      'battery-saver              99 %       40     0         6          0  Berth',
      'a-name-that-is-much-l…    100 %        0     0         0          1',
      'look (observes)           100 %        0     3         0          0',
    ]);
  });

  test('policies are shown between the costs of twins and the latest events', () => {
    const lines = renderLive({ ...MODEL, policies: [policy({ rollout: 0.5, reached: 1, held: 1 })] });
    const at = lines.findIndex((line) => line.startsWith('policy'));

    expect(lines.slice(at - 2, at + 4)).toEqual([
      'events   0 unread',
      '',
      'policy      rollout  reached  held  rejected  contested',
      'slow-night     50 %        1     1         0          0',
      '',
      ...MODEL.placements,
    ]);
  });
});

describe('the trouble lines of the live view', () => {
  const CALM = MODEL.trouble;
  const WEU = 'contoso-weu.azure-devices.net';
  const fault = (told: Partial<FaultLine>): FaultLine => ({
    host: WEU,
    settings: { seed: 7 },
    outageLeftMs: 0,
    happened: 0,
    ...told,
  });

  test.each<[string, Partial<ShownTrouble>, readonly string[]]>([
    ['no line without trouble', {}, []],
    ['no line for dead letters that have not been counted yet', { deadLetters: undefined }, []],
    [
      'a pause of the fleet, and of a hub',
      {
        pauses: [
          { host: undefined, author: 'ann', reason: 'devices reboot since 14:00', forMs: 180_000 },
          { host: WEU, author: 'bob', reason: 'portal import', forMs: 5_000 },
        ],
      },
      [
        'paused   the fleet, by ann 3 min ago: devices reboot since 14:00',
        'paused   contoso-weu, by bob 5 s ago: portal import',
      ],
    ],
    [
      'stored texts on one line of 79 characters',
      { pauses: [{ host: undefined, author: 'ann', reason: `a\u001b[2J\nb ${'c'.repeat(90)}`, forMs: 0 }] },
      [`paused   the fleet, by ann 0 s ago: a [2J b ${'c'.repeat(34)}…`],
    ],
    [
      'a hub whose events are not trusted',
      { untrusted: [{ host: WEU, why: '3 of 8 are not what it has', forMs: 60_000 }] },
      ['reads    contoso-weu: events not trusted for 1 min: 3 of 8 are not what it has'],
    ],
    [
      'faults of one hub',
      {
        faults: [fault({ settings: { seed: 7, throttleRate: 1, latencyMs: 200, dropRate: 0 }, happened: 1 })],
      },
      ['faults   contoso-weu: throttleRate 1, latencyMs 200 (happened 1 time)'],
    ],
    [
      'faults of Edge devices',
      {
        faults: [
          fault({ settings: { seed: 7, edge: { share: 0.5, invalid: false, offline: true } }, happened: 0 }),
        ],
      },
      ['faults   contoso-weu: edge share 0.5, edge offline'],
    ],
    [
      'the same faults of every hub in one line',
      {
        faults: ['a', 'b'].map((host) =>
          fault({ host, settings: { seed: 7, throttleRate: 1 }, happened: 6 }),
        ),
      },
      ['faults   every hub: throttleRate 1 (happened 12 times)'],
    ],
    [
      'an outage with its remaining time',
      { faults: [fault({ host: 'a', settings: { seed: 7, outageMs: 9_000 }, outageLeftMs: 4_000 })] },
      ['faults   a: outage for 4 s more'],
    ],
    [
      'no line for an outage that has ended',
      { faults: [fault({ settings: { seed: 7, outageMs: 9_000, failover: true } })] },
      [],
    ],
    [
      'one dead letter',
      { deadLetters: letters(1) },
      ['letters  1 dead since 2026-11-18: npx --no berth dead-letters list'],
    ],
    [
      'events beyond the cap of dead letters',
      { deadLetters: { count: 0, more: false, since: '2026-11-18', onlyCounted: 12_000 } },
      ['letters  12000 more events only counted: npx --no berth dead-letters counts'],
    ],
    [
      'more dead letters than are counted',
      { deadLetters: letters(1_000, true) },
      ['letters  over 1000 dead since 2026-11-18: npx --no berth dead-letters list'],
    ],
  ])('the trouble lines show %s', (_, trouble, lines) => {
    expect(troubleLines({ ...CALM, ...trouble })).toEqual(lines);
    expect(lines.every((line) => line.length < 80)).toBe(true);
  });
});

describe('the status screen', () => {
  const written = (isTTY: boolean, use: (screen: ReturnType<typeof openScreen>) => void): string => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 20 });
    use(openScreen(stream));
    return String(stream.read());
  };

  test('redraws the status in a terminal, cut to its width, below the permanent lines', () => {
    const text = written(true, (screen) => {
      screen.status(['one', 'x'.repeat(50)]);
      screen.line('stays');
      screen.status(['two']);
    });

    expect(text).toBe(`one\n${'x'.repeat(19)}\n\u001b[2A\r\u001b[Jstays\ntwo\n`);
  });

  test('prints the status to a pipe only from time to time', () => {
    const text = written(false, (screen) => {
      screen.status(['one']);
      screen.status(['two']);
      screen.line('stays');
    });

    expect(text).toBe('one\nstays\n');
  });
});

test.each([
  [900, '1 s'],
  [59_000, '59 s'],
  [61_000, '1 min'],
  [3_900_000, '1 h 5 min'],
])('%i ms is shown as %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

describe('the simulated devices', () => {
  test('a third of the simulated devices have low batteries, one more rejects, and most use MQTT', () => {
    const profiles = deviceProfiles(50);
    const share = (which: (profile: (typeof profiles)[number]) => boolean) => profiles.filter(which).length;

    expect(share(({ battery, rejectsLongIntervals }) => battery === 'low' && !rejectsLongIntervals)).toBe(17);
    expect(share(({ rejectsLongIntervals }) => rejectsLongIntervals)).toBe(1);
    expect(share(({ registersOver }) => registersOver === 'https')).toBe(12);
    expect(share(({ proof }) => proof === 'certificate')).toBe(5);
    expect(new Set(profiles.map(({ deviceId }) => deviceId)).size).toBe(50);
  });

  test('the progress line counts the messages of the simulated devices', () => {
    const progress = new FleetProgress(deviceProfiles(3));
    progress.take({ type: 'registered', deviceId: 'sim-0001', hub: 'h' });
    progress.take({ type: 'reported', deviceId: 'sim-0001', battery: 15 });
    progress.take({ type: 'reported', deviceId: 'sim-0001', battery: 14 });
    progress.take({ type: 'applied', deviceId: 'sim-0001', value: 60_000, version: 2 });
    progress.take({ type: 'registered', deviceId: 'nobody', hub: 'h' });

    expect(progressLine(progress, ['2 of 3 devices have not registered'], 4_000)).toBe(
      '4 s: 1/3 registered, 1/3 reported twice, 1/3 answered; waiting: 2 of 3 devices have not registered',
    );
  });
});
