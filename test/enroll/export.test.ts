import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { EnrollmentRecord } from '../../src/dps/port.ts';
import { exportEnrollments } from '../../src/enroll/export.ts';
import { parseEnrollments } from '../../src/enroll/parse.ts';
import { planEnrollments } from '../../src/enroll/plan.ts';
import { resolveEnrollments } from '../../src/enroll/resolve.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { testAuthority } from '../local/dps/local-dps.ts';
import { fc } from '../support/properties.ts';

interface Pem {
  readonly pem: string;
  readonly sha256: string;
}
let certificates: readonly Pem[];
beforeAll(async () => {
  const authority = await testAuthority();
  certificates = Object.values(authority)
    .filter((value): value is string => typeof value === 'string' && value.includes('BEGIN CERTIFICATE'))
    .map((pem) => ({ pem, sha256: new X509Certificate(pem).fingerprint256.replaceAll(':', '') }));
});

const keyOf = (id: string) => Buffer.from(`the endorsement key of ${id}`).toString('base64');

function record(kind: EnrollmentRecord['kind'], id: string, json: JsonObject): EnrollmentRecord {
  const name = kind === 'group' ? 'enrollmentGroupId' : 'registrationId';
  return { kind, id, etag: 'e', json: { [name]: id, ...json } };
}

const tpm = (id: string): EnrollmentRecord =>
  record('individual', id, {
    attestation: { type: 'tpm', tpm: { endorsementKey: keyOf(id) } },
    allocationPolicy: 'hashed',
  });
const x509 = (id: string, sha256: string): EnrollmentRecord =>
  record('individual', id, {
    attestation: {
      type: 'x509',
      x509: { clientCertificates: { primary: { info: { sha256Thumbprint: sha256 } } } },
    },
    allocationPolicy: 'hashed',
  });
const custom = (webhookUrl: string, apiVersion = '2021-10-01'): JsonObject => ({
  attestation: { type: 'symmetricKey' },
  allocationPolicy: 'custom',
  customAllocationDefinition: { webhookUrl: `${webhookUrl}?****`, apiVersion },
});

/** The file, and the plan of the file once everything is there that the notes ask for. */
function exportAndPlan(records: readonly EnrollmentRecord[]) {
  const { file, notes } = exportEnrollments(records);
  const parsed = parseEnrollments(JSON.stringify(file));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const variables = new Map<string, string>();
  const files = new Map<string, string>();
  for (const { path, message } of notes) {
    const variable = /endorsement key in the environment variable (\w+)/.exec(message)?.[1];
    if (variable !== undefined) setOnce(variables, variable, keyOf(path.replace('individual ', '')));
    const [, name, sha256] = /certificate in (\S+) \(SHA-256 (\w+)\)/.exec(message) ?? [];
    const pem = certificates.find((each) => each.sha256 === sha256)?.pem;
    if (name !== undefined && pem !== undefined) setOnce(files, name, pem);
  }
  const { wanted, problems } = resolveEnrollments(parsed.file, {
    variable: (name) => variables.get(name),
    file: (name) =>
      files.has(name.toLowerCase()) ? Buffer.from(files.get(name.toLowerCase()) ?? '') : undefined,
  });
  expect(problems).toEqual([]);
  const leftOut = notes.filter(({ message }) => message.includes('left out'));
  const steps = planEnrollments({ wanted, records, mechanisms: new Map(), webhookKey: () => undefined });
  return { file, notes, leftOut, steps };
}

/** As on a file system that ignores case, a second value would replace the first. */
function setOnce(values: Map<string, string>, name: string, value: string): void {
  const key = name.includes('/') ? name.toLowerCase() : name;
  if (values.has(key) && values.get(key) !== value) throw new Error(`${name} is needed for two values`);
  values.set(key, value);
}

describe('the file of exported enrollments', () => {
  test.each([
    ['that are equal in their first 40 characters', `${'a'.repeat(45)}1`, `${'a'.repeat(45)}2`],
    ['that differ only in a sign', 'press.7', 'press-7'],
    ['of which one looks like the longer name of another', 'press.7', 'press-7', 'press_7_00000000'],
  ])('has one variable for the endorsement key of each of several TPM devices with ids %s', (_, ...ids) => {
    const { steps } = exportAndPlan(ids.map(tpm));

    expect(steps.map(({ action }) => action)).toEqual(ids.map(() => 'unchanged'));
  });

  test('has one file name for the certificate of each device, also where a file system ignores case', () => {
    const { notes } = exportEnrollments([
      x509('00:11', 'AA'),
      x509('00-11', 'BB'),
      x509('a:B', 'CC'),
      x509('A-b', 'DD'),
    ]);
    const names = notes.map(({ message }) => /certificate in (\S+)/.exec(message)?.[1]?.toLowerCase());

    expect(new Set(names).size).toBe(4);
  });

  test('keeps the short names of enrollments that share no name, whatever else is in DPS', () => {
    const alone = exportEnrollments([tpm('lab-1')]).file;
    const { individuals } = exportEnrollments([tpm('x.1'), tpm('lab-1'), tpm('x-1')]).file;

    expect(alone.individuals).toEqual([
      expect.objectContaining({ attestation: { type: 'tpm', endorsementKeyFrom: 'TPM_LAB_1' } }),
    ]);
    expect(individuals).toContainEqual((alone.individuals as unknown[])[0]);
  });

  test('has the same names whatever the order of the enrollments', () => {
    const records = [tpm('x.1'), tpm('x-1'), x509('0:1', 'AA'), x509('0-1', 'BB')];
    const entries = (given: readonly EnrollmentRecord[]) =>
      new Set((exportEnrollments(given).file.individuals as unknown[]).map((entry) => JSON.stringify(entry)));

    expect(entries(records.toReversed())).toEqual(entries(records));
  });

  test('is valid if an app answers at several URLs: each has a name of its own for its key', () => {
    const app = 'https://contoso.azurewebsites.net';
    const { file, steps, notes } = exportAndPlan([
      record('group', 'toasters', custom(`${app}/api/toasters`)),
      record('group', 'pumps', custom(`${app}/api/pumps`)),
      record('group', 'old', custom(`${app}/api/pumps`, '2019-03-31')),
      record('group', 'other', custom('https://other.azurewebsites.net/api/pumps')),
    ]);

    expect(steps.map(({ action }) => action)).toEqual(Array(4).fill('unchanged'));
    expect(file.groups).toContainEqual(
      expect.objectContaining({
        id: 'pumps',
        webhook: expect.objectContaining({ keyFrom: 'BERTH_WEBHOOK_KEY_2', keyName: 'berth-2' }),
      }),
    );
    expect(notes.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('under the name berth-2'),
    );
  });

  test.each<[string, JsonObject]>([
    ['a device id that Berth reserves', { deviceId: 'berth-heartbeat', allocationPolicy: 'hashed' }],
    ['the policy static without a hub', { allocationPolicy: 'static' }],
    ['a policy that the file does not know', { allocationPolicy: 'lowestLatency' }],
    ['an API version that the file does not know', custom('https://a.azurewebsites.net/api/x', 'latest')],
  ])('leaves out an enrollment with %s, names it, and is valid with the others', (_, json) => {
    const { steps, leftOut } = exportAndPlan([
      record('individual', 'odd', { attestation: { type: 'symmetricKey' }, ...json }),
      tpm('lab-1'),
    ]);

    expect(leftOut).toEqual([
      {
        path: 'individual odd',
        message: expect.stringMatching(/^has a value that the file cannot have \(\w/),
      },
    ]);
    expect(steps.map(({ action }) => action)).toEqual(['unchanged', 'only in DPS']);
  });

  test('is valid and without a difference, whatever enrollments DPS has', () => {
    let exported = 0;
    fc.assert(
      fc.property(randomRecords, (records) => {
        const { steps, leftOut } = exportAndPlan(records(certificates));
        exported += steps.filter(({ action }) => action === 'unchanged').length;

        const differing = steps.filter(({ action }) => action !== 'unchanged' && action !== 'only in DPS');
        expect(differing).toEqual([]);
        expect(steps.filter(({ action }) => action === 'only in DPS')).toHaveLength(leftOut.length);
      }),
      { numRuns: 300 },
    );
    expect(exported).toBeGreaterThan(500);
  });
});

const hubs = ['weu.azure-devices.net', 'EUS.azure-devices.net', 'sea.azure-devices.net'];
const randomTerms = fc.record(
  {
    provisioningStatus: fc.constantFrom('enabled', 'disabled'),
    iotHubs: fc.subarray(hubs),
    iotHubHostName: fc.constantFrom('', ...hubs),
    reprovisionPolicy: fc.record(
      { updateHubAssignment: fc.boolean(), migrateDeviceData: fc.boolean() },
      { requiredKeys: [] },
    ),
    capabilities: fc.record({ iotEdge: fc.boolean() }, { requiredKeys: [] }),
    deviceId: fc.constantFrom('', 'Lab-One', 'a@b', "x'y", 'press.7', 'berth-heartbeat'),
    initialTwin: fc.record(
      {
        tags: fc.constantFrom(
          {},
          { site: 'a', $version: 1 },
          { deep: { list: [1, { a: 'b' }] }, none: null },
        ),
        properties: fc.constantFrom(
          {},
          { desired: {} },
          { desired: { interval: 5.5, $metadata: {}, $version: 3 } },
        ),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const randomPolicy: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.constantFrom<JsonObject>(
    {},
    ...['hashed', 'geoLatency', 'static', ''].map((allocationPolicy) => ({ allocationPolicy })),
  ),
  fc
    .tuple(
      fc.constantFrom(
        'https://a.azurewebsites.net',
        'https://A.azurewebsites.net:443',
        'https://b.example:8443',
        'http://c.example',
      ),
      fc.constantFrom('/api/allocate', '/api/Allocate', '/api/other', '', '/a%20b'),
      fc.constantFrom('?code=****', '?****', '', '#x'),
      fc.constantFrom('2021-10-01', '2019-03-31', '2025-01-01-preview'),
    )
    .map(([app, path, query, apiVersion]) => ({
      allocationPolicy: 'custom',
      customAllocationDefinition: { webhookUrl: `${app}${path}${query}`, apiVersion },
    })),
);
const randomId = fc.constantFrom(
  'press.7',
  'press-7',
  'press_7',
  'press:7',
  'p',
  `${'p'.repeat(60)}1`,
  `${'p'.repeat(60)}2`,
);
const randomAttestation = fc.record({
  type: fc.constantFrom('symmetricKey', 'tpm', 'certificates', 'caReferences'),
  first: fc.nat(),
  second: fc.option(fc.nat(), { nil: undefined }),
});
const randomRecords = fc
  .uniqueArray(
    fc.record({
      kind: fc.constantFrom('group' as const, 'individual' as const),
      id: randomId,
      attestation: randomAttestation,
      policy: randomPolicy,
      terms: randomTerms,
    }),
    { selector: ({ kind, id }) => `${kind} ${id}`, maxLength: 12 },
  )
  .map(
    (all) => (pems: readonly Pem[]) =>
      all.map(({ kind, id, attestation, policy, terms }) =>
        record(kind, id, {
          ...terms,
          ...policy,
          attestation: attestationOf(kind, id, attestation, pems),
        } as JsonObject),
      ),
  );

function attestationOf(
  kind: EnrollmentRecord['kind'],
  id: string,
  {
    type,
    first,
    second,
  }: { readonly type: string; readonly first: number; readonly second: number | undefined },
  pems: readonly Pem[],
): JsonObject {
  const info = (index: number) => ({ info: { sha256Thumbprint: pems[index % pems.length]?.sha256 ?? '' } });
  if (type === 'tpm' && kind === 'individual') return { type: 'tpm', tpm: { endorsementKey: keyOf(id) } };
  if (type === 'caReferences' && kind === 'group') {
    return {
      type: 'x509',
      x509: { caReferences: { primary: 'root', secondary: second === undefined ? null : 'next' } },
    };
  }
  if (type === 'certificates') {
    const field = kind === 'group' ? 'signingCertificates' : 'clientCertificates';
    return {
      type: 'x509',
      x509: { [field]: { primary: info(first), secondary: second === undefined ? null : info(second) } },
    };
  }
  return { type: 'symmetricKey' };
}
