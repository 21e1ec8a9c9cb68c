import { describe, expect, test } from '@jest/globals';
import { hostName } from '../../src/iot-hub/host-name.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { decodeEvent } from '../../src/twin/events/event.ts';
import { redactBody } from '../../src/twin/redaction/redact-body.ts';
import type { Redaction } from '../../src/twin/redaction/redact-values.ts';

const SECRET = 'hunter2!';
const redacting = (...paths: readonly string[]): Redaction => ({
  paths: paths.map((path) => path.split('.')),
  key: Buffer.alloc(32, 1),
});
const PSK = redacting('wifi.psk');
const HASH = expect.stringMatching(/^redacted:[0-9a-f]{24}$/);
const bytes = (body: unknown) =>
  new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
const kept = (body: unknown, redaction = PSK) => {
  const { body: left, isRedacted } = redactBody(bytes(body), redaction);
  return { text: Buffer.from(left).toString('utf8'), isRedacted };
};

describe('the body of a dead letter', () => {
  test.each<[string, unknown, object]>([
    [
      'in a twin',
      { version: 3, properties: { reported: { wifi: { psk: SECRET, ssid: 'x' }, $version: 2 } } },
      { version: 3, properties: { reported: { wifi: { psk: HASH, ssid: 'x' }, $version: 2 } } },
    ],
    [
      'in a list',
      { properties: { desired: { wifi: [{ psk: SECRET, ssid: 'x' }] } } },
      { properties: { desired: { wifi: [{ psk: HASH, ssid: 'x' }] } } },
    ],
    ['as a text in the place of an object', { tags: { wifi: SECRET } }, { tags: { wifi: HASH } }],
    ['without the outer parts of a twin', { wifi: { psk: SECRET } }, { wifi: { psk: HASH } }],
    ['in several twins', [{ properties: { reported: { wifi: { psk: SECRET } } } }, 5], [{}, 5]],
    ['inside an envelope', { data: { twin: { tags: { wifi: { psk: SECRET } } } } }, { data: {} }],
    [
      'in an acknowledgement, whose words may repeat the value',
      { properties: { reported: { wifi: { value: { psk: SECRET }, ac: 400, ad: `not ${SECRET}` } } } },
      { properties: { reported: { wifi: { value: { psk: HASH }, ac: 400, ad: HASH } } } },
    ],
  ])('contains no redacted value when it is JSON: %s', (_, body, expected) => {
    const { text, isRedacted } = kept(body);

    expect(text).not.toContain(SECRET);
    expect(JSON.parse(text)).toMatchObject(expected);
    expect(isRedacted).toBe(true);
  });

  test('contains no redacted value that another key of the same name would hide', () => {
    const text = kept(`{"wifi":{"psk":"${SECRET}","psk":null}, "a" : "\\"b\\":"}`).text;

    expect(JSON.parse(text)).toEqual({ wifi: { psk: null }, a: '"b":' });
    expect(text).not.toContain(SECRET);
  });

  test.each<[string, string]>([
    ['with nothing to redact', '{ "a": [1.0, "\\"x\\": 1"],\n "version": 1 }'],
    ['that is not JSON', `{"wifi":{"psk":"${SECRET}"`],
    ['that is a number', '5'],
    ['that is a list of numbers', '[1, 2]'],
    ['that is empty', ''],
  ])('is unchanged byte for byte when it is one %s', (_, body) => {
    expect(kept(body)).toEqual({ text: body, isRedacted: false });
  });

  test('is unchanged byte for byte when no path is redacted', () => {
    const body = `{"wifi":{"psk":"${SECRET}"}, "a": 1}`;

    expect(kept(body, { paths: [], key: undefined })).toEqual({ text: body, isRedacted: false });
  });

  test('may be nested to any depth', () => {
    const deep = (inner: string) => `{"wifi":{"psk":${'['.repeat(200_000)}${inner}${']'.repeat(200_000)}}}`;

    const { text } = kept(deep(`"${SECRET}"`));

    expect(text).not.toContain(SECRET);
    expect(kept(`${'{"a":'.repeat(50_000)}"${SECRET}"${'}'.repeat(50_000)}`).text).not.toContain(SECRET);
  });

  test.each(['wifi.psk', 'version', 'desired', 'properties', 'tags', 'reported.version', 'etag'])(
    'can still be decoded as the same event when this path is redacted: %s',
    (path) => {
      const body: JsonObject = {
        version: 7,
        etag: 'AAA=',
        tags: { wifi: { psk: SECRET } },
        properties: {
          desired: { version: 'v1', wifi: { psk: SECRET }, $metadata: {}, $version: 2 },
          reported: { version: 3, wifi: [SECRET], $metadata: {}, $version: 3 },
        },
      };
      for (const opType of ['updateTwin', 'replaceTwin', 'createDeviceIdentity']) {
        const event = {
          enqueuedAt: '2026-11-23T12:00:01Z',
          properties: { hubName: 'weu', opType, operationTimestamp: '2026-11-23T12:00:00Z' },
          systemProperties: {
            'iothub-message-source': 'twinChangeEvents',
            'iothub-connection-device-id': 'pump-1',
          },
        };
        const context = { hubNamed: () => hostName('weu.azure-devices.net'), isTargeted: () => false };
        const redacted = redactBody(bytes(body), redacting(path)).body;

        const before = decodeEvent({ ...event, body: bytes(body) }, context);
        const after = decodeEvent({ ...event, body: redacted }, context);

        expect(before).toMatchObject({ kind: 'twin', event: { id: { deviceId: 'pump-1' } } });
        expect(after).toMatchObject({ kind: 'twin', event: { id: { deviceId: 'pump-1' } } });
      }
    },
  );
});

describe('a text about an event', () => {
  test.each<[string, unknown, string, string]>([
    [
      'a redacted value',
      { wifi: { psk: SECRET } },
      `TypeError: ${SECRET} is bad`,
      'TypeError: redacted: is bad',
    ],
    ['a redacted value in a list', { wifi: { psk: [[SECRET]] } }, `no ${SECRET}`, 'no redacted:'],
    ['a redacted number', { wifi: { psk: 1234 } }, 'the port 1234 is bad', 'the port redacted: is bad'],
    [
      'a short redacted value that stands alone',
      { wifi: { psk: 'a' } },
      'a "a" bad',
      'redacted: "redacted:" bad',
    ],
    [
      'a redacted value with special characters',
      { wifi: { psk: 'a.*$&(' } },
      'bad a.*$&( x',
      'bad redacted: x',
    ],
    ['no value that stays readable', { wifi: { psk: 's', ssid: 'name' } }, 'bad name', 'bad name'],
  ])('loses %s of the original body', (_, body, text, left) => {
    expect(redactBody(bytes(body), PSK).without(text)).toBe(left);
  });
});
