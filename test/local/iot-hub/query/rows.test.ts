import { describe, expect, test } from '@jest/globals';
import { isMet } from '../../../../local/iot-hub/query/evaluate.ts';
import { parseQuery } from '../../../../local/iot-hub/query/parse-query.ts';
import { groupedRows, isGrouped, rowOf } from '../../../../local/iot-hub/query/select.ts';
import type { JsonObject } from '../../../../src/json/json.ts';

const TWINS: readonly JsonObject[] = [
  { deviceId: 'a', tags: { site: 'ams', level: 1 }, properties: { reported: { status: 'ok' } } },
  { deviceId: 'b', tags: { site: 'ber', level: 4 }, properties: { reported: { status: 'error' } } },
  { deviceId: 'c', tags: { site: 'ams', level: 2.5 }, properties: { reported: { status: 'ok' } } },
  { deviceId: 'd', tags: {}, properties: { reported: {} } },
];

function run(text: string): readonly JsonObject[] {
  const query = parseQuery(text);
  const documents = TWINS.filter((twin) => isMet(query.where, twin));
  return isGrouped(query)
    ? groupedRows(query, documents)
    : documents.map((document) => rowOf(query, document));
}

describe('rows of queries', () => {
  test.each<[string, readonly JsonObject[]]>([
    ["SELECT * FROM devices WHERE deviceId = 'd'", [TWINS[3] ?? {}]],
    [
      "select deviceId, tags.site as place from devices where is_defined(tags.site) and deviceId != 'b'",
      [
        { deviceId: 'a', place: 'ams' },
        { deviceId: 'c', place: 'ams' },
      ],
    ],
    [
      'SELECT devices.tags.site AS s, MAX(devices.tags.level) AS m FROM devices WHERE is_defined(tags.site) GROUP BY devices.tags.site',
      [
        { s: 'ams', m: 2.5 },
        { s: 'ber', m: 4 },
      ],
    ],
    ["SELECT DeviceId FROM devices WHERE deviceId = 'a'", [{ deviceId: 'a' }]],
    ["SELECT deviceId AS [[the id]] FROM devices WHERE deviceId = 'a'", [{ 'the id': 'a' }]],
    ["SELECT tags.site FROM devices WHERE deviceId IN ['a', 'd']", [{ site: 'ams' }, {}]],
    ['SELECT COUNT() AS total FROM devices', [{ total: 4 }]],
    ['SELECT count() FROM devices', [{ $1: 4 }]],
    ["SELECT COUNT() AS total FROM devices WHERE tags.site = 'none'", [{ total: 0 }]],
    [
      'SELECT AVG(tags.level) AS avg, SUM(tags.level) AS sum, MIN(tags.level) AS min, MAX(tags.level) AS max FROM devices',
      [{ avg: 2.5, sum: 7.5, min: 1, max: 4 }],
    ],
    [
      'SELECT MIN(tags.site) AS min, MAX(tags.site) AS max, SUM(tags.site) AS sum FROM devices',
      [{ min: 'ams', max: 'ber' }],
    ],
    ["SELECT AVG(tags.level) AS avg, COUNT() AS n FROM devices WHERE deviceId = 'd'", [{ n: 1 }]],
    [
      'SELECT properties.reported.status AS status, COUNT() AS numberOfDevices FROM devices GROUP BY properties.reported.status',
      [{ status: 'ok', numberOfDevices: 2 }, { status: 'error', numberOfDevices: 1 }, { numberOfDevices: 1 }],
    ],
    [
      'SELECT COUNT() AS n, tags.site, properties.reported.status AS s FROM devices GROUP BY tags.site, properties.reported.status',
      [{ n: 2, site: 'ams', s: 'ok' }, { n: 1, site: 'ber', s: 'error' }, { n: 1 }],
    ],
    ['SELECT tags.site FROM devices GROUP BY tags.site', [{ site: 'ams' }, { site: 'ber' }, {}]],
  ])('%s', (text, rows) => {
    expect(run(text)).toEqual(rows);
  });

  test.each<[string, RegExp]>([
    ['', /SELECT is expected at the end/],
    ['SELECT FROM devices', /FROM is not a property/],
    ['SELECT *', /FROM is expected at the end/],
    ['SELECT * FROM twins', /unknown collection twins/],
    ['SELECT * FROM devices d', /unexpected d/],
    ['SELECT * FROM devices ORDER BY deviceId', /unexpected ORDER/],
    ['SELECT * FROM devices WHERE', /ends too early/],
    ['SELECT * FROM devices WHERE COUNT() = 1', /unknown function COUNT/],
    ['SELECT DISTINCT tags.site FROM devices', /DISTINCT is not a property/],
    ['SELECT TOP 0 * FROM devices', /TOP 0 is not a positive whole number/],
    ['SELECT TOP x * FROM devices', /TOP x is not/],
    ['SELECT COUNT(*) AS n FROM devices', /COUNT\(\) takes no parameter/],
    ['SELECT LOWER(deviceId) AS id FROM devices', /SELECT takes properties and count, avg/],
    ['SELECT * FROM devices GROUP BY tags.site', /SELECT \* cannot be used with GROUP BY/],
    ['SELECT deviceId, COUNT() AS n FROM devices', /deviceId must be in GROUP BY/],
    ['SELECT deviceId, COUNT() AS n FROM devices GROUP BY tags.site', /deviceId must be in GROUP BY/],
    ['SELECT tags.a AS x, tags.b AS x FROM devices', /two columns have the name x/],
    ['SELECT jobId FROM devices.jobs', /devices.jobs must be SELECT \*/],
    ['SELECT COUNT() AS n FROM devices.jobs', /devices.jobs must be SELECT \*/],
    ['DROP TABLE devices', /SELECT is expected before DROP/],
  ])('the query "%s" is refused', (text, message) => {
    expect(() => parseQuery(text)).toThrow(message);
  });
});
