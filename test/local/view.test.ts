import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { cast } from '../../local/devices/cast.ts';
import { Progress } from '../../local/progress.ts';
import { type LiveModel, renderLive } from '../../local/view/live-view.ts';
import { progressLine } from '../../local/view/progress-line.ts';
import { openScreen } from '../../local/view/screen.ts';
import { duration } from '../../local/view/text.ts';

const MODEL: LiveModel = {
  upMs: 185_000,
  devices: 3,
  hubs: [
    {
      host: 'contoso-weu.azure-devices.net',
      state: 'active',
      weight: 3,
      wanted: 0.75,
      devices: 2,
      connected: 2,
      twinReads: 0,
      twinWrites: 4,
    },
    {
      host: 'eus.azure-devices.net',
      state: 'draining',
      weight: 1,
      wanted: 0.25,
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
  unread: 0,
  happenings: ['12:00:01  sim-0001  battery 15 %: asked to send every 1 min, and does'],
  functionsUrl: 'http://127.0.0.1:7071',
  controlUrl: 'http://127.0.0.1:7070',
  functionKey: 'local-function-key',
  isFunctionHostRunning: true,
};

describe('the live view', () => {
  test('shows devices per hub against the weights, twins by state, and what a change costs', () => {
    expect(renderLive(MODEL)).toEqual([
      'Berth, locally: 3 simulated devices, up 3 min',
      '',
      'hub                               state  weight  wanted  actual  devices  online  twin reads  twin writes',
      'contoso-weu.azure-devices.net    active       3    75 %    67 %        2       2           0            4',
      'eus.azure-devices.net          draining       1    25 %    33 %        1       0           1           12',
      '',
      'twins    2 in sync, 1 rejected (counted 4 s ago)',
      'cost     16 corrections for 200 reported changes, 0.09 hub operations a change',
      'events   0 unread',
      '',
      '12:00:01  sim-0001  battery 15 %: asked to send every 1 min, and does',
      '',
      "fleet    curl -H 'x-functions-key: local-function-key' http://127.0.0.1:7071/api/fleet",
      'hubs     curl http://127.0.0.1:7070/hubs',
      'Ctrl-C ends everything.',
    ]);
  });

  test('says what it does not know yet, and that the function host is down', () => {
    const hubs = MODEL.hubs.map((hub) => ({ ...hub, devices: 0 }));
    const lines = renderLive({
      ...MODEL,
      hubs,
      twins: undefined,
      unread: undefined,
      changes: 0,
      happenings: [],
      isFunctionHostRunning: false,
    });

    expect(lines[0]).toContain('the function host is down');
    expect(lines.join('\n')).toContain('twins    not counted yet');
    expect(lines.join('\n')).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('a screen', () => {
  const written = (isTTY: boolean, use: (screen: ReturnType<typeof openScreen>) => void): string => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 20 });
    use(openScreen(stream));
    return String(stream.read());
  };

  test('redraws a status in a terminal, cut to its width, below the lines that stay', () => {
    const text = written(true, (screen) => {
      screen.status(['one', 'x'.repeat(50)]);
      screen.line('stays');
      screen.status(['two']);
    });

    expect(text).toBe(`one\n${'x'.repeat(19)}\n\u001b[2A\r\u001b[Jstays\ntwo\n`);
  });

  test('prints a status on a pipe only now and then', () => {
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
])('%i ms is %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

describe('the simulated devices', () => {
  test('a third have low batteries, one more rejects, and most talk MQTT', () => {
    const parts = cast(50);
    const share = (which: (part: (typeof parts)[number]) => boolean) => parts.filter(which).length;

    expect(share(({ battery, isPicky }) => battery === 'low' && !isPicky)).toBe(17);
    expect(share(({ isPicky }) => isPicky)).toBe(1);
    expect(share(({ registersOver }) => registersOver === 'https')).toBe(12);
    expect(share(({ proof }) => proof === 'certificate')).toBe(5);
    expect(new Set(parts.map(({ deviceId }) => deviceId)).size).toBe(50);
  });

  test('the progress line counts what they have told', () => {
    const progress = new Progress(cast(3));
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
