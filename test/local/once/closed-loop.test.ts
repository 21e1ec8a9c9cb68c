import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { listen } from '../../../local/listen.ts';
import { checkLoop } from '../../../local/once/closed-loop.ts';
import { FleetProgress } from '../../../local/progress.ts';

const HOST = 'weu.azure-devices.net';
let server: Server | undefined;
afterEach(() => void server?.close());

/** The check of a stack with one hub and no devices. @param writes the twin updates of the hub, at each question for its counters */
async function checkWith(writes: readonly number[]) {
  let asked = 0;
  const counted = { devices: 0, twins: {}, twinsCountedAt: '2999-01-01T00:00:00Z' };
  const fleet = {
    pause: null,
    hubs: [
      {
        ...{ host: HOST, state: 'active', weight: 1, pause: null, sync: null, ...counted },
        share: { wanted: 1, expected: null, spread: null },
      },
    ],
    policies: [],
    twins: { inSync: 0 },
    deadLetters: { since: '2026-11-29', count: 0, more: false },
    onlyCounted: { events: 0 },
  };
  const answers: Readonly<Record<string, () => unknown>> = {
    '/events': () => ({ events: 7, unread: 0 }),
    '/api/fleet': () => fleet,
    '/hubs': () => {
      const twinWrites = writes[Math.min(asked, writes.length - 1)] ?? 0;
      asked += 1;
      const none = { devices: 0, twinReads: 0, queries: 0, identityOps: 0, statisticsReads: 0 };
      return [{ host: HOST, ...none, twinWrites }];
    },
    [`/hubs/${HOST}/devices`]: () => [],
  };
  server = createServer((request, response) => {
    const answer = answers[request.url ?? ''];
    response.end(JSON.stringify(answer === undefined ? {} : answer()));
  });
  const url = `http://127.0.0.1:${await listen(server, 0, 'the test')}`;
  return checkLoop({
    progress: new FleetProgress([]),
    controlUrl: url,
    functionsUrl: url,
    functionKey: 'key',
    masterKey: 'master',
    startedAt: Date.now(),
    eventsBefore: 2,
  });
}

test('a loop without open work is closed, and its result has the newest counters of the hubs', async () => {
  expect(await checkWith([4])).toMatchObject({ closed: true, result: { corrections: 4, events: 5 } });
});

test('a loop is not closed if a twin was corrected during the check, whose counters are then outdated', async () => {
  expect(await checkWith([4, 5])).toEqual({
    closed: false,
    reasons: [`twins of ${HOST} were corrected during the check`],
    ranResync: true,
  });
});
