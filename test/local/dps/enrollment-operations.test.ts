import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import { type LocalDps, startLocalDps } from './local-dps.ts';
import { callService, type ServiceAnswer } from './service-calls.ts';

let local: LocalDps;
beforeEach(async () => {
  local = await startLocalDps([]);
});
afterEach(() => local.close());

const symmetricKey = { primaryKey: testKey(1), secondaryKey: testKey(2) };
const attestation = { type: 'symmetricKey', symmetricKey };
const individual = (registrationId: string, terms: object = {}) => ({
  registrationId,
  attestation,
  ...terms,
});
const group = (enrollmentGroupId: string, terms: object = {}) => ({
  enrollmentGroupId,
  attestation,
  ...terms,
});
const put = (path: string, body: object) => callService(local, 'PUT', path, body);
const query = (path: string, headers: Record<string, string> = {}, text: unknown = 'SELECT *') =>
  callService(local, 'POST', `${path}/query`, { query: text }, headers);
const ids = ({ body }: ServiceAnswer) =>
  (body as { registrationId?: string; enrollmentGroupId?: string }[]).map(
    (each) => each.registrationId ?? each.enrollmentGroupId,
  );

describe('bulk operations on enrollments', () => {
  const bulk = (mode: unknown, ...enrollments: unknown[]) =>
    callService(local, 'POST', '/enrollments', { mode, enrollments });
  const bulkGroups = (mode: string, ...enrollmentGroups: unknown[]) =>
    callService(local, 'POST', '/enrollmentGroups', { mode, enrollmentGroups });

  test('each mode changes what it can and names each enrollment that it cannot change', async () => {
    const created = await bulk('create', individual('a'), individual('b'), individual('a'));
    const { etag } = (await callService(local, 'GET', '/enrollments/a')).body as { etag: string };
    const disabled = { provisioningStatus: 'disabled' };
    const updated = await bulk('update', individual('b', disabled), individual('c'));
    const matched = await bulk(
      'updateIfMatchETag',
      individual('a', { ...disabled, etag }),
      individual('b', { etag: 'old' }),
      individual('b'),
    );
    const deleted = await bulk('delete', { registrationId: 'A' }, { registrationId: 'c' });

    const errors = (answer: ServiceAnswer) =>
      answer.body.errors.map((each: { registrationId: string; errorCode: number }) => [
        each.registrationId,
        each.errorCode,
      ]);
    expect([created, updated, matched, deleted].map(errors)).toEqual([
      [['a', 409001]],
      [['c', 404201]],
      [
        ['b', 412001],
        ['b', 412001],
      ],
      [['c', 404201]],
    ]);
    expect([created, updated, matched, deleted].map(({ body }) => body.isSuccessful)).toEqual(
      Array(4).fill(false),
    );
    expect(await query('/enrollments')).toMatchObject({
      body: [{ registrationId: 'b', provisioningStatus: 'disabled' }],
    });
  });

  test('an operation without errors is successful', async () => {
    expect((await bulk('create', individual('a'))).body).toEqual({ isSuccessful: true, errors: [] });
  });

  test('groups have bulk operations too', async () => {
    const { body } = await bulkGroups('create', group('g1'), group('g2'), group('g1'));
    await bulkGroups('delete', { enrollmentGroupId: 'g2' });

    expect(body).toEqual({
      isSuccessful: false,
      errors: [{ enrollmentGroupId: 'g1', errorCode: 409001, errorStatus: expect.any(String) }],
    });
    expect(ids(await query('/enrollmentGroups'))).toEqual(['g1']);
  });

  test.each<[string, unknown, unknown[]]>([
    ['an unknown mode', 'upsert', [individual('a')]],
    ['no mode', undefined, [individual('a')]],
    ['no enrollments', 'create', []],
    [
      'more than ten enrollments',
      'create',
      Array.from({ length: 11 }, (_, index) => individual(`d${index}`)),
    ],
    ['an enrollment without an id', 'create', [individual('a'), { attestation }]],
    ['an enrollment that is not an object', 'create', [individual('a'), 'b']],
  ])('a request with %s is refused as a whole', async (_, mode, enrollments) => {
    expect(await bulk(mode, ...enrollments)).toMatchObject({ status: 400, body: { errorCode: 400004 } });
    expect(ids(await query('/enrollments'))).toEqual([]);
  });
});

describe('queries of enrollments and groups', () => {
  test('pages do not repeat or hide an enrollment when others are created and deleted in between', async () => {
    for (const id of ['b', 'd', 'f']) await put(`/enrollments/${id}`, individual(id));
    const first = await query('/enrollments', { 'x-ms-max-item-count': '2' });
    await callService(local, 'DELETE', '/enrollments/b');
    await put('/enrollments/a', individual('a'));

    const token = String(first.headers['x-ms-continuation']);
    const second = await query('/enrollments', { 'x-ms-max-item-count': '2', 'x-ms-continuation': token });

    expect([ids(first), ids(second)]).toEqual([['b', 'd'], ['f']]);
    expect(second.headers['x-ms-continuation']).toBeUndefined();
  });

  test('a query names the type of its items and the size of its page', async () => {
    await put('/enrollmentGroups/g', group('g'));

    expect(await query('/enrollmentGroups', { 'x-ms-max-item-count': '7' })).toMatchObject({
      headers: { 'x-ms-item-type': 'EnrollmentGroup', 'x-ms-max-item-count': '7' },
      body: [{ enrollmentGroupId: 'g' }],
    });
  });

  test.each(['*', 'select * from enrollments', 'SELECT * FROM enrollmentGroups', ' SELECT  * ; '])(
    'the query "%s" returns everything',
    async (text) => {
      await put('/enrollments/a', individual('a'));
      expect(ids(await query('/enrollments', {}, text))).toEqual(['a']);
    },
  );

  test.each<[string, Record<string, string>, unknown]>([
    ['a page of no items', { 'x-ms-max-item-count': '0' }, '*'],
    ['a page of a negative size', { 'x-ms-max-item-count': '-1' }, '*'],
    ['a page size that is not a number', { 'x-ms-max-item-count': 'many' }, '*'],
    ['a token of another query', { 'x-ms-continuation': 'RW5yb2xsbWVudEdyb3VwL2E=' }, '*'],
    ['a token that is not one', { 'x-ms-continuation': '7' }, '*'],
    ['a condition', {}, "SELECT * FROM enrollments WHERE registrationId = 'a'"],
    ['no text', {}, 7],
  ])('a query with %s is refused', async (_, headers, text) => {
    expect(await query('/enrollments', headers, text)).toMatchObject({
      status: 400,
      body: { errorCode: 400004 },
    });
  });
});

describe('the fields of an enrollment', () => {
  test.each([
    ['a dot at the end of the registration id', '/enrollments/a.', individual('a.')],
    ['a space in the registration id', '/enrollments/a%20b', individual('a b')],
    ['a registration id of 129 characters', `/enrollments/${'a'.repeat(129)}`, individual('a'.repeat(129))],
    ['a slash in the group id', '/enrollmentGroups/a%2Fb', group('a/b')],
    ['another id in the body', '/enrollments/a', individual('b')],
    ['a device id that no hub accepts', '/enrollments/a', individual('a', { deviceId: 'a/b' })],
    ['a policy for certificates', '/enrollments/a', individual('a', { credentialPolicyName: 'default' })],
  ])('an enrollment with %s is refused', async (_, path, body) => {
    expect(await put(path, body)).toMatchObject({ status: 400, body: { errorCode: 400004 } });
  });

  test('the notes of the operator are kept and shown since 2021-10-01, and an earlier version keeps them', async () => {
    const optionalDeviceInformation = { owner: 'plant 7' };
    await put('/enrollments/a', individual('a', { optionalDeviceInformation }));
    const early = '/enrollments/a?api-version=2019-03-31';
    const { body: shown } = await callService(local, 'GET', early);
    await callService(local, 'PUT', early, individual('a', { iotHubs: [WEU] }), { 'if-match': '*' });

    expect(shown).not.toHaveProperty('optionalDeviceInformation');
    expect(await callService(local, 'GET', '/enrollments/a')).toMatchObject({
      body: { optionalDeviceInformation, iotHubs: [WEU] },
    });
  });

  test.each(['2025-07-01-preview', '2026-04-01', '2026-07-01-preview', '2026-11-01'])(
    'the version %s is answered',
    async (version) => {
      const path = `/enrollments/a?api-version=${version}`;
      expect((await callService(local, 'PUT', path, individual('a'))).status).toBe(200);
    },
  );
});
