import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parseEnrollments } from '../../src/enroll/parse.ts';
import { enrollmentsJsonSchema } from '../../src/enroll/schema.ts';

const WEBHOOK = { url: 'https://contoso.azurewebsites.net/api/allocate' };
const OTHER = { url: 'https://contoso-us.azurewebsites.net/api/allocate' };
const GROUP = { id: 'fleet', attestation: { type: 'symmetricKey' } };
const LAB = { registrationId: 'lab-1', attestation: { type: 'symmetricKey' } };
const SECRET = Buffer.from('a-key-that-somebody-wrote-into-the-file').toString('base64');

const problemsOf = (file: unknown) => {
  const parsed = parseEnrollments(typeof file === 'string' ? file : JSON.stringify(file));
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`.trim());
};

describe('enrollments.schema.json', () => {
  test('is the file that npm run schema generates', () => {
    const committed: unknown = JSON.parse(readFileSync('schemas/enrollments.schema.json', 'utf8'));

    expect(committed).toEqual(JSON.parse(JSON.stringify(enrollmentsJsonSchema())));
  });
});

describe('docs/enrollments.md', () => {
  test('contains a valid example', () => {
    const [, example = ''] = /```json\n([^`]*)```/.exec(readFileSync('docs/enrollments.md', 'utf8')) ?? [];

    expect(parseEnrollments(example)).toMatchObject({ ok: true });
  });
});

describe('an enrollments file', () => {
  test('needs only ids and attestations, and fills the rest with defaults', () => {
    const parsed = parseEnrollments(
      JSON.stringify({ webhook: WEBHOOK, groups: [GROUP], individuals: [LAB] }),
    );

    expect(parsed).toMatchObject({
      ok: true,
      file: {
        webhook: { apiVersion: '2021-10-01' },
        groups: [
          {
            enabled: true,
            allocationPolicy: 'custom',
            iotHubs: [],
            reprovisioning: 'migrate',
            capabilities: { iotEdge: false },
          },
        ],
        individuals: [{ registrationId: 'lab-1' }],
      },
    });
  });

  test('lists every problem, each with a correction', () => {
    const problems = problemsOf({
      webhook: { url: 'https://contoso.azurewebsites.net/api/allocate?code=abc' },
      groups: [
        { id: 'a b', attestation: { type: 'tpm' } },
        { id: 'two', attestation: { type: 'x509' }, allocationPolicy: 'static', iotHubs: [] },
        {
          id: 'TWO',
          attestation: { type: 'symmetricKey', primaryKeyFrom: 'K1' },
          reprovisioning: 'sometimes',
        },
      ],
      individuals: [
        { registrationId: 'x', attestation: { type: 'tpm' }, initialTwin: { tags: { 'a.b': 1 } }, extra: 1 },
      ],
    });

    expect(problems).toEqual([
      expect.stringMatching(
        /^webhook\.url is not valid .*without a query: the key comes from BERTH_WEBHOOK_KEY$/,
      ),
      expect.stringMatching(/^groups\[0\]\.id is "a b": write at most 128/),
      'groups[0].attestation.type is "tpm": write symmetricKey or x509 (a TPM is for individual enrollments)',
      'groups[2].reprovisioning is "sometimes": write one of migrate, reset, never',
      expect.stringMatching(/^individuals\[0\]\.initialTwin\.tags/),
      'individuals[0] contains the unknown field "extra": correct the spelling or remove it',
      'groups[2].id is "TWO", which is already used (case is ignored): use another id',
      'groups[1].iotHubs has 0 hubs: allocationPolicy "static" needs exactly one',
      'groups[1].attestation needs exactly one of signingCertificates and caReferences',
      'groups[2].attestation has only primaryKeyFrom: write both keys, or none to let DPS generate keys',
      'individuals[0].attestation needs exactly one of endorsementKeyFrom and endorsementKeyFile',
    ]);
  });

  test.each<[string, object, RegExp]>([
    [
      'the registration id that Berth reserves',
      { webhook: WEBHOOK, individuals: [{ ...LAB, registrationId: 'Berth-Heartbeat' }] },
      /^individuals\[0\]\.registrationId .*write another id: Berth reserves berth-heartbeat/,
    ],
    [
      'the device id that Berth reserves',
      { webhook: WEBHOOK, individuals: [{ ...LAB, deviceId: 'berth-heartbeat' }] },
      /^individuals\[0\]\.deviceId .*write another id: Berth reserves berth-heartbeat/,
    ],
    ['the policy custom but no webhook', { groups: [GROUP] }, /^groups\[0\]\.webhook is missing/],
    [
      'a webhook under another policy',
      { groups: [{ ...GROUP, allocationPolicy: 'hashed', webhook: WEBHOOK }] },
      /^groups\[0\]\.webhook is only for allocationPolicy "custom"/,
    ],
    [
      'a hub that is listed twice',
      { webhook: WEBHOOK, groups: [{ ...GROUP, iotHubs: ['a.b', 'A.B'] }] },
      /listed twice/,
    ],
    [
      'a key instead of a hub',
      { webhook: WEBHOOK, groups: [{ ...GROUP, iotHubs: ['c2VjcmV0IGtleSBvZiAzMiBieXRlcw=='] }] },
      /^groups\[0\]\.iotHubs\[0\] is a text that is no host name \(not repeated\): write the full host name/,
    ],
    [
      'two URLs with one key',
      { webhook: WEBHOOK, groups: [GROUP, { ...GROUP, id: 'us', webhook: OTHER }] },
      /^groups\[1\]\.webhook\.keyFrom names the same variable as webhook, .* each URL has its own key/,
    ],
    [
      'two URLs that both name one variable',
      {
        groups: [
          { ...GROUP, webhook: { ...WEBHOOK, keyFrom: 'KEY' } },
          { ...GROUP, id: 'us', webhook: { ...OTHER, keyFrom: 'KEY' } },
        ],
      },
      /^groups\[1\]\.webhook\.keyFrom names the same variable/,
    ],
    [
      'two URLs that share an app and the name of its key',
      {
        webhook: { url: 'https://door.example/api/allocate', apps: ['https://contoso-us.azurewebsites.net'] },
        groups: [GROUP, { ...GROUP, id: 'us', webhook: { ...OTHER, keyFrom: 'KEY' } }],
      },
      /^groups\[1\]\.webhook\.keyName names the same key of the same app as webhook, /,
    ],
    [
      'one URL with two keys',
      { webhook: WEBHOOK, groups: [GROUP, { ...GROUP, id: 'us', webhook: { ...WEBHOOK, keyFrom: 'KEY' } }] },
      /^groups\[1\]\.webhook\.keyFrom is not the same as at webhook, .* one URL has one key/,
    ],
    [
      'the key that the host makes',
      { webhook: { ...WEBHOOK, keyName: 'default' } },
      /^webhook\.keyName is a name that the host makes/,
    ],
    [
      'an app with a path',
      { webhook: { ...WEBHOOK, apps: ['https://contoso.azurewebsites.net/api/allocate'] } },
      /^webhook\.apps\[0\] .*without a path/,
    ],
    [
      'a webhook on another machine over plain http',
      { webhook: { url: 'http://contoso.example/api/allocate' } },
      /^webhook\.url is not valid/,
    ],
    [
      'both given and derived keys',
      {
        webhook: WEBHOOK,
        individuals: [
          {
            ...LAB,
            attestation: {
              type: 'symmetricKey',
              primaryKeyFrom: 'A',
              secondaryKeyFrom: 'B',
              derivedFrom: 'C',
            },
          },
        ],
      },
      /write one kind, or none/,
    ],
  ])('an enrollments file with %s is refused', (_, file, message) => {
    expect(problemsOf(file)).toEqual([expect.stringMatching(message)]);
  });

  test.each<[string, unknown]>([
    [
      'instead of the name of a variable',
      { attestation: { type: 'symmetricKey', primaryKeyFrom: SECRET, secondaryKeyFrom: SECRET } },
    ],
    ['as a field of its own', { attestation: { type: 'symmetricKey', primaryKey: SECRET } }],
    ['instead of an attestation', { attestation: SECRET }],
    [
      'in the URL of the webhook',
      { ...GROUP, webhook: { url: `https://x.example/api/allocate?code=${SECRET}` } },
    ],
    ['instead of the webhook', { ...GROUP, webhook: SECRET }],
  ])('an enrollments file with a key %s is refused, and the key is not repeated', (_, group) => {
    const problems = problemsOf({ webhook: WEBHOOK, groups: [{ id: 'fleet', ...(group as object) }] });

    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join()).not.toContain(SECRET.slice(0, 20));
  });

  test.each([
    ['', 'is not JSON: it is empty'],
    ['{"groups":[}', 'is not JSON: line 1, column 12: a value is expected here'],
    ['{"groups":[]\n,}', 'is not JSON: line 2, column 2: remove the comma before this "}"'],
    ['{"groups":[],\n"groups":[]}', 'groups is written twice, at line 1, column 2 and at line 2, column 1'],
    ['{"groups":[{"id":"a","id":"b"}]}', /^groups\[0\]\.id is written twice/],
    ['{"__proto__":{}}', /contains the key "__proto__"/],
  ])('the text %j is refused as an enrollments file', (text, message) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(message)]);
  });
});
