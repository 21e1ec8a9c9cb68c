import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { globSync } from 'tinyglobby';
import { ERRORS } from '../../src/errors.ts';
import { SYNC_COUNTS } from '../../src/metrics/sync-counters.ts';
import { describeBicep, type Snapshot, snapshotOfFile } from './bicep.ts';
import { type CheckQuery, loadKusto } from './kusto.ts';
import { at } from './resource.ts';

const source = globSync('src/**/*.ts', { ignore: 'src/cli/**' })
  .map((path) => readFileSync(path, 'utf8'))
  .join('\n');

/** Names of the lines that the app writes: `event: 'name'`, `log('warn', 'name'`, and the two that depend. */
const EVENTS = new Set([
  ...[...source.matchAll(/\bevent: '(\w+)'|\blog\('\w+', '(\w+)'/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  ),
  ...[...source.matchAll(/const event = .*\? '(\w+)' : '(\w+)'/g)].flatMap((match) => [
    match[1] ?? '',
    match[2] ?? '',
  ]),
]);
const FUNCTIONS = new Set([...source.matchAll(/app\.\w+\('(\w+)'/g)].map((match) => match[1] ?? ''));

/** What a query takes for granted of the app, and the app does not do. */
function problemsOf(query: string): readonly string[] {
  const compared = (column: string) =>
    [...query.matchAll(new RegExp(`\\b${column}\\)? (?:==|!=|in) (\\([^)]*\\)|"[^"]*")`, 'g'))].flatMap(
      (match) => [...(match[1] ?? '').matchAll(/"([^"]*)"/g)].map((text) => text[1] ?? ''),
    );
  const searched = [...query.matchAll(/\bhas(?:_any)? (\([^)]*\)|"[^"]*")/g)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(/"([^"]*)"/g)].map((text) => text[1] ?? ''),
  );
  const counts = [
    ...query.matchAll(/tolong\(line(?:\.|\[["'])(merged|replayed|gaps|\w*ed|reads|writes|queries)\b/g),
  ];
  // Logs of hubs and DPS hold nothing that the app writes.
  if (query.includes('AzureDiagnostics')) return [];
  return [
    ...compared('event').filter((name) => !EVENTS.has(name)),
    ...compared('code').filter((code) => !(code in ERRORS)),
    ...[...compared('OperationName'), ...compared('Name')].filter((name) => !FUNCTIONS.has(name)),
    ...searched.filter((text) => !EVENTS.has(text) && !(text in ERRORS)),
    ...counts
      .map((match) => match[1] ?? '')
      .filter(
        (name) => !(SYNC_COUNTS as readonly string[]).includes(name) && !source.includes(`readonly ${name}:`),
      ),
  ];
}

const workbook = JSON.parse(readFileSync('infra/workbook.json', 'utf8')) as {
  readonly items: readonly { readonly name: string; readonly content: { readonly query?: string } }[];
};
const workbookQueries = workbook.items.flatMap(({ name, content }): [string, string][] =>
  content.query === undefined ? [] : [[name, content.query]],
);

/** What a query of an alert is, by the alert's key. */
function queriesOf({ predictedResources }: Snapshot): ReadonlyMap<string, string> {
  return new Map(
    predictedResources
      .filter(({ type }) => type === 'Microsoft.Insights/scheduledQueryRules')
      .map(({ name, properties }) => {
        const [criterion] = at(properties, 'criteria', 'allOf') as readonly { readonly query: string }[];
        return [name.replace(/^berth-|-main-[a-z0-9]{13}$/g, ''), criterion?.query ?? ''];
      }),
  );
}

/** What is wrong with a query, in the eyes of the source and of Microsoft's own analysis. */
function faultsOf(query: string, check: CheckQuery): readonly string[] {
  return [
    ...(/^\s*(AppTraces|AppRequests|AzureMetrics|union isfuzzy=true \(datatable\([^)]*\) \[\]\), \w+)\n/.test(
      query,
    )
      ? []
      : ['does not begin with a known table']),
    ...problemsOf(query),
    ...check(query),
  ];
}

describe('the log queries', () => {
  let check: CheckQuery;
  beforeAll(() => {
    check = loadKusto();
  });

  test('the test finds the names that the app writes', () => {
    expect([...EVENTS]).toEqual(
      expect.arrayContaining([
        'allocated',
        'notAllocated',
        'twinsSynchronised',
        'syncCounts',
        'twinEventsLate',
      ]),
    );
    expect([...FUNCTIONS]).toEqual(expect.arrayContaining(['allocateDevice', 'syncTwins', 'resyncFleet']));
  });

  test.each(workbookQueries)(
    'the query %s of the workbook is one, and asks for what the app writes',
    (_, query) => {
      expect(faultsOf(query, check)).toEqual([]);
    },
  );

  describeBicep('of the alerts', () => {
    const alertQueries = async () => queriesOf(await snapshotOfFile('infra/small.bicepparam'));

    test('are queries, and ask for what the app writes', async () => {
      const faults = [...(await alertQueries())].map(([key, query]) => [key, ...faultsOf(query, check)]);

      expect(faults.length).toBeGreaterThan(10);
      expect(faults.filter(([, ...found]) => found.length > 0)).toEqual([]);
    });

    test('fire on the event of the cap of dead letters', async () => {
      expect((await alertQueries()).get('dead-letters-capped')).toContain(
        'event == "deadLettersCapped" and code == "BERTH_DEAD_LETTERS_CAPPED"',
      );
    });

    test('fire on a hub that is not available for ten minutes, and on no short failure', async () => {
      const { predictedResources } = await snapshotOfFile('infra/small.bicepparam');
      const alert = predictedResources.find(({ name }) => name.startsWith('berth-hub-unavailable-'));
      const query = queriesOf({ predictedResources, outputs: {} }).get('hub-unavailable') ?? '';

      expect(query).toContain('event == "hubTrouble" and code == "BERTH_HUB_UNAVAILABLE"');
      // Many calls may fail in one minute, so minutes count, of each hub for itself.
      expect(query).toMatch(/minutes = dcount\(bin\(TimeGenerated, 1m\)\).* by hub = /);
      expect(query).toMatch(/where minutes >= 5 and lasted >= 10m/);
      expect(at(alert?.properties, 'windowSize')).toBe('PT15M');
    });

    test.each([
      ['rollout-failed', 'BERTH_ROLLOUT_FAILED'],
      ['rollout-approval', 'BERTH_ROLLOUT_NEEDS_APPROVAL'],
    ])('%s fires on the line with which resyncFleet logs %s', async (key, code) => {
      expect((await alertQueries()).get(key)).toContain(`event == "hubTrouble" and code == "${code}"`);
    });

    test.each([
      ['hub-silent', 'BERTH_HUB_SILENT'],
      ['hub-late', 'BERTH_HUB_LATE'],
      ['trigger-stopped', 'BERTH_TRIGGER_STOPPED'],
      ['reader-unknown', 'BERTH_READER_UNKNOWN'],
    ])('%s fires until the log says that %s is over', async (key, code) => {
      const query = (await alertQueries()).get(key) ?? '';

      // The line of the end has the code in `ended`, so the search finds it, and its own code is another one.
      expect(query).toContain(`Message has "${code}"`);
      expect(query).toMatch(
        new RegExp(`summarize arg_max\\(TimeGenerated, code\\).*\\n\\s*\\| where code == "${code}"`),
      );
      expect(query).not.toMatch(new RegExp(`code == "${code}"[^]*summarize`));
    });

    test('watch every code of the liveness of hubs that the app logs', async () => {
      const watch = readFileSync('src/sync/resync/watch-liveness.ts', 'utf8');
      const codes = new Set(
        [...watch.matchAll(/'(BERTH_(?!HUB_NOT_FOUND)\w+)'/g)].map((match) => match[1] ?? ''),
      );
      const watched = [...(await alertQueries()).values()].join();

      expect(codes.size).toBe(4);
      expect([...codes].filter((code) => !watched.includes(`code == "${code}"`))).toEqual([]);
    });

    test('that look for silence read a table that may be missing, so that Azure does not switch them off', async () => {
      const queries = await alertQueries();
      const looksForSilence = [...queries].filter(([, query]) => /== 0\b/.test(query));

      expect(looksForSilence.map(([key]) => key).sort()).toEqual([
        'events-unread',
        'nothing-assigned',
        'resync-silent',
      ]);
      for (const [key, query] of looksForSilence)
        expect([key, query.trim().startsWith('union isfuzzy=true (datatable(')]).toEqual([key, true]);
    });

    test('watch every important condition', async () => {
      expect([...(await alertQueries()).keys()]).toEqual(
        expect.arrayContaining([
          'failed-registrations',
          'quota-spent',
          'throttled',
          'events-late',
          'dead-letters',
          'gaps',
          'policy-paused',
        ]),
      );
    });
  });

  test.each([
    ['an unknown column', 'AppTraces | where Messag has "x"', "'Messag' does not refer to"],
    ['an unknown table', 'AppTrace | count', "'AppTrace' does not refer to"],
    [
      'a reserved word without brackets',
      'AppTraces | extend x = parse_json(Message).queries',
      'needs to be bracket',
    ],
    ['an incomplete query', 'AppTraces | where', 'Missing expression'],
  ])('the Kusto language service finds %s', (_, query, message) => {
    expect(check(query).join()).toContain(message);
  });

  test.each([
    ['an event', 'AppTraces\n| where event == "twinsSynchronized"', ['twinsSynchronized']],
    ['an event of a list', 'AppTraces\n| where event in ("allocated", "unknown")', ['unknown']],
    ['a code', 'AppTraces\n| where code != "BERTH_NOTHING"', ['BERTH_NOTHING']],
    ['a function', 'AppRequests\n| where Name == "resync"', ['resync']],
    ['a text', 'AppTraces\n| where Message has_any ("refused", "gone")', ['gone']],
    ['a count', 'AppTraces\n| summarize sum(tolong(line.vanished))', ['vanished']],
  ])('the check reports %s that the app does not write', (_, query, problems) => {
    expect(problemsOf(query)).toEqual(problems);
  });
});

describe('receipts in the log', () => {
  test('receipts are excluded from sampling', () => {
    const host = JSON.parse(readFileSync('host.json', 'utf8'));

    // context.log makes traces.
    expect(host.logging.applicationInsights.samplingSettings.excludedTypes.split(';')).toEqual(
      expect.arrayContaining(['Trace', 'Request']),
    );
    expect(host.logging.logLevel.default).toBe('Information');
  });
});
