import { describe, expect, test } from '@jest/globals';
import { readHubConfig } from '../../../local/edge/manifest/hub-config.ts';
import type { RoutedMessage } from '../../../local/edge/routes/message.ts';
import { isRouted, parseRuntimeRoute } from '../../../local/edge/routes/route.ts';

const message = (changes: Partial<RoutedMessage> = {}): RoutedMessage => ({
  deviceId: 'gateway',
  moduleId: 'Sensor',
  output: 'temperatureOutput',
  body: Buffer.from(JSON.stringify({ machine: { temperature: 25 }, list: [1, 2] })),
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  messageId: undefined,
  properties: { level: 'high', count: '5' },
  ...changes,
});

describe('a route of the Edge hub takes a message by its source', () => {
  test.each([
    ['/*', {}, true],
    ['/messages/*', {}, true],
    ['/messages/modules/*', {}, true],
    ['/messages/modules/sensor/*', {}, true],
    ['/MESSAGES/modules/SENSOR/outputs/*', {}, true],
    ['/messages/modules/Sensor/outputs/temperatureoutput', {}, true],
    ['/messages/modules/Sensor/outputs/temp*', {}, false],
    ['/messages/modules/Sens/*', {}, false],
    ['/messages/modules/*/outputs/temperatureOutput', {}, false],
    ['/messages/modules/Sensor/outputs/*', { output: undefined }, false],
    ['/messages/modules/Sensor/*', { output: undefined }, true],
    ['/twinChangeNotifications', {}, false],
  ] as const)('%s with %j: %s', (source, changes, expected) => {
    expect(isRouted(parseRuntimeRoute(`FROM ${source} INTO $upstream`), message(changes))).toBe(expected);
  });
});

describe('a route of the Edge hub takes a message by its condition', () => {
  test.each([
    ["level = 'high'", true],
    ['level = "low"', false],
    ["level <> 'low' AND $connectionModuleId = 'Sensor'", true],
    ["NOT (level = 'low')", true],
    ['as_number(count) + 1 = 6 and not is_null(level)', true],
    ["upper(level) || '!' = 'HIGH!'", true],
    ["starts_with(level, 'hi') AND substring(level, 1, 2) = 'ig'", true],
    ["missing ?? 'none' = 'none'", true],
    ["(missing ?? 'none') = 'none'", true],
    ['is_defined(missing)', false],
    ['is_number($body.machine.temperature) and power($body.list[1], 2) = 4', true],
    ["level = 'x into y'", false],
    ["{$connectionModuleId} = 'Sensor' /* not a property of the message */", true],
    ['2 + 3 * 4 - 0x0A % 4 = 12', true],
    ["contains(missing, 'x') or length(concat(level, level)) = 8", true],
    ["level = 'low' OR $body.machine.temperature > 20", true],
    ['$body.machine.temperature >= 25 and ($body.list[1] = 2)', true],
    ['$body.machine.pressure < 5', false],
    ["missing != 'x'", false],
    ['$body.machine.temperature = "25"', false],
    ["$contentType = 'application/json'", true],
  ] as const)('%s: %s', (condition, expected) => {
    expect(isRouted(parseRuntimeRoute(`from /messages/* where ${condition} into $upstream`), message())).toBe(
      expected,
    );
  });

  test('the body counts only with its content type and its encoding', () => {
    const route = parseRuntimeRoute('FROM /messages/* WHERE $body.machine.temperature > 20 INTO $upstream');
    expect(isRouted(route, message({ contentType: undefined }))).toBe(false);
    expect(isRouted(route, message({ contentEncoding: 'utf-16' }))).toBe(false);
  });
});

describe('the sinks of a route', () => {
  test('are $upstream and an input of a module', () => {
    expect(parseRuntimeRoute('FROM /* INTO $UpStream').sink).toEqual({ kind: 'upstream' });
    expect(
      parseRuntimeRoute("SELECT * FROM /* INTO brokeredendpoint('/modules/filter/inputs/in1')").sink,
    ).toEqual({
      kind: 'input',
      moduleId: 'filter',
      input: 'in1',
    });
  });

  test.each([
    'FROM /messages/* INTO $downstream',
    'FROM /messages/* INTO BrokeredEndpoint("/modules/filter")',
    'FROM /messages/* INTO BrokeredEndpoint(/modules/filter/inputs/in1)',
    "FROM /messages/* WHERE level == 'high' INTO $upstream",
    'FROM /messages/* WHERE level = INTO $upstream',
    'FROM /messages/* WHERE starts_with(level) INTO $upstream',
    "FROM /messages/* WHERE beginswith(level, 'x') INTO $upstream",
    "FROM /messages/* WHERE level = 'high INTO $upstream",
    'FROM /messages/* WHERE (level = "high" INTO $upstream',
    'FROM /messages/* WHERE $twin.tags.x = 1 INTO $upstream',
    'FROM messages/* INTO $upstream',
    'FROM /other/* INTO $upstream',
    'INTO $upstream',
    '',
  ])('%s is refused', (text) => {
    expect(() => parseRuntimeRoute(text)).toThrow();
  });
});

describe('the desired properties of $edgeHub', () => {
  const storing = { storeAndForwardConfiguration: { timeToLiveSecs: 7200 } };

  test('are read with routes as texts and as objects', () => {
    const read = readHubConfig({
      schemaVersion: '1.1',
      routes: {
        a: 'FROM /* INTO $upstream',
        b: { route: 'FROM /* INTO $upstream', priority: 0, timeToLiveSecs: 5 },
      },
      ...storing,
    });

    expect(read).toMatchObject({ ok: true, config: { timeToLiveSecs: 7200, routes: [{}, {}] } });
  });

  test('an empty route is left out in schema 1.0', () => {
    expect(readHubConfig({ schemaVersion: '1.0', routes: { a: '' } })).toMatchObject({
      ok: true,
      config: { routes: [] },
    });
  });

  test.each([
    ['an empty route in schema 1.1', { schemaVersion: '1.1', routes: { a: '' }, ...storing }],
    [
      'one wrong route beside a right one',
      { schemaVersion: '1.0', routes: { a: 'FROM /* INTO $upstream', b: 'x' } },
    ],
    [
      'a priority of 10',
      { schemaVersion: '1.1', routes: { a: { route: 'FROM /* INTO $upstream', priority: 10 } }, ...storing },
    ],
    ['a name with a dot', { schemaVersion: '1.0', routes: { 'a.b': 'FROM /* INTO $upstream' } }],
    ['an object in schema 1.0', { schemaVersion: '1.0', routes: { a: { route: 'FROM /* INTO $upstream' } } }],
    ['no storeAndForwardConfiguration in schema 1.1', { schemaVersion: '1.1', routes: {} }],
    ['schema 2.0', { schemaVersion: '2.0', routes: {} }],
    ['nothing', {}],
  ])('%s is refused as a whole', (_name, desired) => {
    expect(readHubConfig(desired)).toMatchObject({
      ok: false,
      description: expect.stringContaining('Error while parsing desired properties'),
    });
  });
});
