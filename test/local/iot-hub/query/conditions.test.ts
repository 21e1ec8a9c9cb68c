import { describe, expect, test } from '@jest/globals';
import { isMet } from '../../../../local/iot-hub/query/evaluate.ts';
import { parseCondition, parseQuery } from '../../../../local/iot-hub/query/parse-query.ts';

const TWIN = {
  deviceId: 'dev-1',
  status: 'enabled',
  connectionState: 'Connected',
  capabilities: { iotEdge: false },
  configurations: { 'hvac-west': { status: 'Applied' } },
  tags: {
    site: "a'dam",
    floor: 3,
    spare: true,
    nothing: null,
    'chiller-water': { level: 2 },
    'a key': 'spaced',
    list: [1, 'two', true],
    zone: { name: 'b' },
  },
  properties: {
    desired: { level: 21, $version: 4 },
    reported: { level: 20, name: 'Ümlaut', $version: 7 },
  },
};

const holds = (condition: string) => isMet(parseCondition(condition).where, TWIN);

describe('conditions of the query language', () => {
  test.each([
    ['*'],
    // Comparisons
    ["deviceId = 'dev-1'"],
    ['deviceId = "dev-1"'],
    ["deviceId != 'dev-2'"],
    ["deviceId <> 'dev-2'"],
    ["deviceId > 'dev-0' AND deviceId < 'dev-2' AND deviceId >= 'dev-1' AND deviceId <= 'dev-1'"],
    ['tags.floor=3'],
    ['tags.floor = 0x3'],
    ['tags.floor = 3.0'],
    ['tags.floor >= 2.5e0'],
    ['3 = tags.floor'],
    ['tags.spare = true'],
    ['tags.spare'],
    ['tags.spare != false'],
    ['tags.nothing = null'],
    ['NOT tags.nothing != null'],
    ['properties.reported.level < properties.desired.level'],
    ['properties.desired.$version = 4'],
    // Logic
    ["deviceId = 'x' OR tags.floor = 3"],
    ["deviceId = 'x' AND deviceId = 'y' OR tags.floor = 3"],
    ["NOT deviceId = 'x'"],
    ["NOT (deviceId = 'x' OR deviceId = 'y')"],
    ["NOT NOT deviceId = 'dev-1'"],
    ["tags.missing = 1 OR deviceId = 'dev-1'"],
    ["not (tags.missing = 1 and deviceId = 'x')"],
    // Lists
    ["deviceId IN ['dev-0', 'dev-1']"],
    ["deviceId in['dev-1']"],
    ["deviceId NIN ['dev-0', 'dev-2']"],
    ["deviceId NOT IN ['dev-0']"],
    ["NOT deviceId IN ['dev-0']"],
    ['tags.floor IN [-1, 3]'],
    ['tags.nothing IN [null]'],
    // Arithmetic
    ['tags.floor + 1 = 4'],
    ['tags.floor - 1 = 2'],
    ['-tags.floor = -3'],
    ['tags.floor * 2 + 1 = 7'],
    ['1 + 2 * tags.floor = 7'],
    ['(1 + 2) * tags.floor = 9'],
    ['tags.floor / 2 = 1.5'],
    ['tags.floor % 2 = 1'],
    // Functions that check types
    ['IS_DEFINED(tags.site)'],
    ['is_defined(tags.nothing)'],
    ['NOT IS_DEFINED(tags.missing)'],
    ['IS_NULL(tags.nothing) AND NOT IS_NULL(tags.floor) AND NOT IS_NULL(tags.missing)'],
    ['IS_BOOL(tags.spare) AND NOT IS_BOOL(tags.floor)'],
    ['IS_NUMBER(tags.floor) AND NOT IS_NUMBER(tags.site)'],
    ['IS_STRING(tags.site) AND NOT IS_STRING(tags.floor)'],
    ['IS_OBJECT(tags.zone) AND NOT IS_OBJECT(tags.list) AND NOT IS_OBJECT(tags.nothing)'],
    ['IS_ARRAY(tags.list) AND NOT IS_ARRAY(tags.zone)'],
    ['IS_PRIMITIVE(tags.nothing) AND IS_PRIMITIVE(tags.floor)'],
    ['NOT (IS_PRIMITIVE(tags.list) OR IS_PRIMITIVE(tags.zone) OR IS_PRIMITIVE(tags.missing))'],
    // Functions of texts
    ["STARTSWITH(deviceId, 'dev-')"],
    ["startswith(deviceId, 'dev')"],
    ["STARTS_WITH(deviceId, 'dev-')"],
    ["ENDSWITH(deviceId, '-1') AND ENDS_WITH(deviceId, '-1')"],
    ["CONTAINS(deviceId, 'v-')"],
    ["NOT CONTAINS(deviceId, 'x')"],
    ["LOWER(properties.reported.name) = 'ümlaut'"],
    ["UPPER(deviceId) = 'DEV-1'"],
    ['LENGTH(deviceId) = 5'],
    ["SUBSTRING(deviceId, 4) = '1'"],
    ["SUBSTRING(deviceId, 0, 3) = 'dev'"],
    ["INDEX_OF(deviceId, '-') = 3"],
    ["CONCAT(deviceId, '/', tags.zone.name) = 'dev-1/b'"],
    // Functions of numbers and arrays
    ['ABS(-tags.floor) = 3'],
    ['SQUARE(tags.floor) = 9 AND SQRT(9) = tags.floor AND POWER(tags.floor, 2) = 9'],
    ['CEILING(2.1) = tags.floor AND FLOOR(3.9) = tags.floor AND SIGN(tags.floor) = 1'],
    ['EXP(0) = 1'],
    ["AS_NUMBER('3') = tags.floor"],
    ["ARRAY_CONTAINS(tags.list, 'two') AND NOT ARRAY_CONTAINS(tags.list, 2)"],
    // Paths
    ["tags.[[a key]] = 'spaced'"],
    ["tags[[a key]] = 'spaced'"],
    ["tags['a key'] = 'spaced'"],
    ['tags.chiller-water.level = 2'],
    ["configurations.[[hvac-west]].status = 'Applied'"],
    ["devices.deviceId = 'dev-1'"],
    ["DeviceId = 'dev-1' AND Properties.Reported.level = 20"],
    ['capabilities.iotEdge = false'],
    // Escapes and comments
    ["tags.site = 'a\\'dam'"],
    ["tags.site = 'a''dam'"],
    ['tags.site = "a\'dam"'],
    ["tags.site = 'a\\u0027dam'"],
    ["/* all of one site */ tags.site = 'a\\'dam'"],
  ])('%s holds', (condition) => {
    expect(holds(condition)).toBe(true);
  });

  test.each([
    ["deviceId = 'DEV-1'"],
    ["tags.floor = '3'"],
    ["tags.floor != '3'"],
    ['tags.missing = 1'],
    ['tags.missing != 1'],
    ['NOT tags.missing = 1'],
    ['tags.missing = undefined'],
    ['tags.missing NIN [1]'],
    ['tags.zone = tags.zone'],
    ['tags.list = tags.list'],
    ['tags.zone != 1'],
    ['tags.floor'],
    ['tags.site'],
    ["'true'"],
    ['null'],
    ["tags.missing = 1 AND deviceId = 'dev-1'"],
    ['tags.floor / 0 > 0'],
    ["tags.site + 'x' = 'x'"],
    ['tags.Floor = 3'],
    ['properties.reported.Level = 20'],
    ["STARTSWITH(tags.floor, '3')"],
    ['ABS(tags.site) = 1'],
    ["AS_NUMBER('three') = 3"],
    ['tags.toString = 1'],
    ['IS_DEFINED(constructor)'],
  ])('%s does not hold', (condition) => {
    expect(holds(condition)).toBe(false);
  });

  test.each<[string, RegExp]>([
    ['', /ends too early/],
    ['tags.a =', /ends too early/],
    ["tags.a = 'open", /unexpected 'open/],
    ["tags.a IN 'x'", /\[ is expected before x/],
    ['tags.a IN []', /\] is not a property/],
    ["tags.a IN ['x'", /\] is expected at the end/],
    ['tags.a IN [tags.b]', /only constants/],
    ['tags.a = 1 AND', /ends too early/],
    ['tags.a = 1 tags.b = 2', /unexpected tags/],
    ['(tags.a = 1', /\) is expected/],
    ['tags..a = 1', /after a dot/],
    ['tags. = 1', /after a dot/],
    ['UNKNOWN(tags.a)', /unknown function UNKNOWN/],
    ['IS_DEFINED()', /IS_DEFINED takes 1 parameters, not 0/],
    ['STARTSWITH(deviceId)', /STARTSWITH takes 2 parameters, not 1/],
    ['SUBSTRING(deviceId, 1, 2, 3)', /takes 2 to 3/],
    ["tags.a LIKE 'x%'", /unexpected LIKE/],
    ['tags.a BETWEEN 1 AND 2', /unexpected BETWEEN/],
    ['where = 1', /where is not a property/],
    ['tags.a == 1', /= is not a property/],
    ['tags.a = 1; tags.b = 2', /unexpected ;/],
    ["FROM devices.jobs WHERE status = 'x'", /cannot be about devices.jobs/],
    ['* AND tags.a = 1', /unexpected AND/],
    [`${'('.repeat(3000)}1${')'.repeat(3000)} = 1`, /more than 100 levels/],
    [`${'-'.repeat(3000)}1 = 1`, /more than 100 levels/],
    [`tags.a = '${'x'.repeat(9000)}'`, /longer than 8192 characters/],
  ])('%.60s is refused', (condition, message) => {
    expect(() => parseCondition(condition)).toThrow(message);
  });

  test('a condition about modules names its collection', () => {
    const { from, where } = parseCondition("FROM devices.modules WHERE moduleId = 'camera'");

    expect(from).toBe('devices.modules');
    expect(isMet(where, { deviceId: 'a', moduleId: 'camera' })).toBe(true);
    expect(isMet(where, { deviceId: 'a', moduleId: 'pump' })).toBe(false);
  });

  test('a long chain of conditions is evaluated', () => {
    const chain = Array.from({ length: 800 }, (_, index) => `a=${index}`).join(' OR ');
    expect(isMet(parseCondition(chain).where, { a: 799 })).toBe(true);
  });

  test('a path in a query for jobs can start with the collection', () => {
    const { where } = parseQuery("SELECT * FROM devices.jobs WHERE devices.jobs.status = 'completed'");
    expect(isMet(where, { status: 'completed' })).toBe(true);
  });
});
