import { describe, expect, test } from '@jest/globals';
import type { HubEvent } from '../../../../local/iot-hub/index.ts';
import { matchesCondition } from '../../../../local/iot-hub/routing/evaluate-condition.ts';
import { factsOf } from '../../../../local/iot-hub/routing/message-facts.ts';
import { isProblem, parseHubCondition } from '../../../../local/iot-hub/routing/parse-condition.ts';

/** The message of Microsoft's page about the syntax of conditions. */
const WEATHER = {
  Weather: {
    Temperature: 50,
    Time: '2017-03-09T00:00:00.000Z',
    PrevTemperatures: [20, 30, 40],
    IsEnabled: true,
    Location: { Street: 'One Microsoft Way', City: 'Redmond', State: 'WA' },
    HistoricalData: [
      { Month: 'Feb', Temperature: 40 },
      { Month: 'Jan', Temperature: 30 },
    ],
    Nothing: null,
  },
};
const TWIN = {
  tags: { deploymentLocation: { building: '43', floor: 1 } },
  properties: { desired: { telemetryConfig: { sendFrequency: '5m' } }, reported: { batteryLevel: 55 } },
};
const MESSAGE: HubEvent = {
  body: Buffer.from(JSON.stringify(WEATHER)),
  partitionKey: 'lamp',
  properties: {
    processingPath: 'hot',
    severity: '2',
    'dashed-name': 'x',
    $level: 'high',
    opType: 'updateTwin',
  },
  annotations: {
    'iothub-connection-device-id': 'lamp',
    'iothub-connection-module-id': 'camera',
    'iothub-enqueuedtime': 1_500_000_000_000,
    'iothub-message-source': 'Telemetry',
    'dt-dataschema': 'dtmi:com:example:Lamp;1',
    'dt-subject': 'bulb',
  },
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  messageId: 'm-1',
};

function matches(condition: string, message: Partial<HubEvent> = {}): boolean {
  const parsed = parseHubCondition(condition);
  if (isProblem(parsed)) throw new Error(`at ${parsed.at}: ${parsed.message}`);
  return matchesCondition(
    parsed,
    factsOf({ ...MESSAGE, ...message }, () => TWIN),
  );
}

describe('the conditions in the documentation of Microsoft', () => {
  test.each([
    "$contentEncoding = 'utf-8'",
    "processingPath = 'hot'",
    "$contentEncoding = 'utf-8' AND processingPath = 'hot'",
    "$body.Weather.HistoricalData[0].Month = 'Feb'",
    '$body.Weather.Temperature = 50 AND $body.Weather.IsEnabled',
    'length($body.Weather.Location.State) = 2',
    "$body.Weather.Temperature = 50 AND processingPath = 'hot'",
    "$twin.properties.desired.telemetryConfig.sendFrequency = '5m'",
    "$body.Weather.Temperature = 50 AND $twin.properties.desired.telemetryConfig.sendFrequency = '5m'",
    '$twin.tags.deploymentLocation.floor = 1',
    'is_defined($body.Weather.Temperature)',
    "processingPath = 'hot' AND as_number(severity) <= 2",
    "(opType = 'updateTwin' OR opType = 'replaceTwin') AND IS_DEFINED($twin.tags.deploymentLocation.building)",
  ])('%s matches', (condition) => {
    expect(matches(condition)).toBe(true);
  });
});

describe('a condition', () => {
  test.each([
    // properties
    ["PROCESSINGPATH = 'hot'", true],
    ["processingPath = 'Hot'", false],
    ["dashed-name = 'x'", true],
    ["$level = 'high'", true],
    ["absent = 'x'", false],
    ["absent != 'x'", false],
    ['severity = 2', false],
    ["$connectionDeviceId = 'lamp' AND $connectionModuleId = 'camera'", true],
    ["$dt-dataschema = 'dtmi:com:example:Lamp;1' AND $dt-subject = 'bulb'", true],
    ["$iothub-message-source = 'deviceMessages'", true],
    ["$enqueuedTime > '2017-01-01' AND $messageId = 'm-1'", true],
    ["{$contentType} = 'application/json'", true],
    // the body
    ['$body.Weather.PrevTemperatures[2] = 40', true],
    ['$body.Weather.PrevTemperatures[3] = 40', false],
    ['$body.weather.temperature = 50', false],
    ['$body.Weather.Location', false],
    ['is_defined($body.Weather.Location)', false],
    ['is_object($body.Weather.Location) AND is_array($body.Weather.PrevTemperatures)', true],
    [
      '$body.Weather.Nothing = null AND is_null($body.Weather.Nothing) AND is_defined($body.Weather.Nothing)',
      true,
    ],
    ["$body = 'x'", false],
    ["$body[0] = 'Feb'", false],
    // the twin
    ["$twin.tags.DEPLOYMENTLOCATION.building = '43'", true],
    ['$twin.properties.reported.batteryLevel > 50', true],
    // logic with three values
    ['true', true],
    ['TRUE', false],
    ['1', false],
    ["'true'", false],
    ['NOT false', true],
    ["NOT absent = 'x'", false],
    ["absent = 'x' OR true", true],
    ["NOT (absent = 'x' AND false)", true],
    ["NOT (processingPath = 'cold')", true],
    ["NOT processingPath = 'cold'", true],
    ["processingPath = 'cold' OR processingPath = 'hot' AND true", true],
    ["(absent ?? 'x') = 'x'", true],
    // numbers
    ['1 + 2 * 3 = 7', true],
    ['( 1 + 2 ) * 3 = 9', true],
    ['7 % 4 = 3 AND 8 / 2 = 4 AND 5 - 3 = 2', true],
    ['0x1F = 31 AND 1e2 = 100 AND -1 < 0 AND .5 = 0.5', true],
    ['1 / 0 > 0', false],
    ["$body.Weather.Temperature > '5'", false],
    ['3 <> 4 AND 3 != 4 AND 3 <= 3 AND 3 >= 3', true],
    ['abs(-3) = 3 AND square(3) = 9 AND power(2, 3) = 8 AND sqrt(16) = 4 AND sign(-9) = -1', true],
    ['ceiling(1.2) = 2 AND floor(1.8) = 1 AND exp(0) = 1', true],
    ["as_number('x') = 1 OR as_number('7') = 7", true],
    // texts
    ["'a' || 'b' = 'ab' AND concat('a', 'b', 'c') = 'abc'", true],
    ["lower('AB') = 'ab' AND upper('ab') = 'AB' AND length('äb') = 2", true],
    ["substring('hello', 1) = 'ello' AND substring('hello', 1, 2) = 'el'", true],
    ["index_of('hello', 'l') = 2 AND index_of('hello', 'x') = -1", true],
    ["starts_with('hello', 'he') AND ends_with('hello', 'lo') AND contains('hello', 'ell')", true],
    ["Starts_With(processingPath, 'h')", true],
    ["'it\\'s' = \"it's\" AND '\\u0041' = 'A'", true],
    [
      'is_string(processingPath) AND is_number($body.Weather.Temperature) AND is_bool($body.Weather.IsEnabled)',
      true,
    ],
    ['is_primitive(processingPath) AND NOT is_primitive($body.Weather.Location)', true],
    ['/* why */ true', true],
  ])('%s is %s', (condition, expected) => {
    expect(matches(condition)).toBe(expected);
  });

  test.each([
    ['application/json', 'utf-8', true],
    ['application/JSON', 'UTF-8', true],
    ['application/json', undefined, false],
    [undefined, 'utf-8', false],
    ['text/plain', 'utf-8', false],
    ['application/json', 'ascii', false],
    ['application/json;charset=utf-8', undefined, true],
    ['application/json; charset=UTF-16', undefined, false],
  ])(
    'reads the body only of JSON in a Unicode encoding: %s in %s → %s',
    (contentType, contentEncoding, expected) => {
      const given = { contentType, contentEncoding } as Partial<HubEvent>;

      expect(matches('$body.Weather.Temperature = 50', given)).toBe(expected);
    },
  );

  test('reads bodies in UTF-16 and UTF-32, and takes a body that is not JSON as absent', () => {
    const text = '{"t":"ä😀"}';
    const utf32 = Buffer.alloc([...text].length * 4);
    for (const [index, character] of [...text].entries())
      utf32.writeUInt32LE(character.codePointAt(0) ?? 0, index * 4);

    const condition = "$body.t = 'ä😀'";
    expect(matches(condition, { body: Buffer.from(text, 'utf16le'), contentEncoding: 'utf-16' })).toBe(true);
    expect(matches(condition, { body: utf32, contentEncoding: 'UTF-32' })).toBe(true);
    expect(matches(condition, { body: Buffer.from('{"t":') })).toBe(false);
  });
});

describe('a condition that cannot be parsed', () => {
  test.each([
    ['', 1, /a value is expected, but the condition ends/],
    ['a =', 4, /a value is expected/],
    ["a = 'x", 5, /no closing quote/],
    ['(a = 1', 7, /"\)" is missing/],
    ['a = 1 b', 7, /"b" is not expected here/],
    ['lenght(a) = 1', 1, /unknown function "lenght": did you mean length\?/],
    ['length() = 1', 1, /length takes 1 values, not 0/],
    ['substring(a) = 1', 1, /takes 2 to 3 values/],
    ['$body.a[x] = 1', 1, /is not a path/],
    ['$contentType[0] = 1', 1, /only \$body and \$twin/],
    ["a IN ('x')", 3, /"IN" is not expected here/],
    ['a = [1]', 5, /the character "\[" is not allowed/],
    ['and', 1, /a value is expected/],
    ['a ; b', 3, /the character ";" is not allowed/],
    [`${'('.repeat(5_000)}true${')'.repeat(5_000)}`, expect.any(Number), /nests too deep/],
  ])('%j is refused at character %s', (condition, at, message) => {
    expect(parseHubCondition(condition)).toEqual({ at, message: expect.stringMatching(message) });
  });
});
