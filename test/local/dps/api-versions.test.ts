import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import { GROUP_KEY, type LocalDps, startLocalDps, testAuthority } from './local-dps.ts';
import { callService } from './service-calls.ts';

describe('the versions of the service API', () => {
  let local: LocalDps;
  beforeEach(async () => {
    local = await startLocalDps([]);
  });
  afterEach(() => local.close());

  const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    callService(local, method, path, body, headers);
  const symmetricKey = { primaryKey: GROUP_KEY, secondaryKey: testKey(6) };
  const GROUP = {
    enrollmentGroupId: 'plants',
    attestation: { type: 'symmetricKey', symmetricKey },
    reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false },
    allocationPolicy: 'static',
    iotHubs: [WEU],
  };
  const at = (version: string) => `/enrollmentGroups/plants?api-version=${version}`;

  test.each(['2018-09-01-preview', '2018-09-01', '2018-11-01', '2019-03-31', '2021-06-01', '2021-10-01'])(
    'the version %s has policies',
    async (version) => {
      expect((await call('PUT', at(version), GROUP)).status).toBe(200);

      const { body } = await call('GET', at(version));

      const { attestation: _attestation, ...terms } = GROUP;
      expect(body).toMatchObject(terms);
      expect(body).not.toHaveProperty('iotHubHostName');
    },
  );

  test.each(['2017-11-15', '2018-04-01'])(
    'the version %s has the keys, one hub and no policies',
    async (version) => {
      const { enrollmentGroupId, attestation } = GROUP;
      const put = await call('PUT', at(version), { enrollmentGroupId, attestation, iotHubHostName: WEU });

      const { body } = await call('GET', at(version));

      expect(put.status).toBe(200);
      expect(body).toMatchObject({
        attestation: { type: 'symmetricKey', symmetricKey },
        iotHubHostName: WEU,
      });
      for (const name of ['reprovisionPolicy', 'allocationPolicy', 'iotHubs', 'customAllocationDefinition']) {
        expect(body).not.toHaveProperty(name);
      }
      expect(await local.register('dev-1')).toMatchObject({ assignedHub: WEU });
    },
  );

  test('an update by an early version keeps the policies of the enrollment', async () => {
    await call('PUT', at('2021-10-01'), GROUP);
    const { enrollmentGroupId, attestation } = GROUP;

    await call(
      'PUT',
      at('2018-04-01'),
      { enrollmentGroupId, attestation, provisioningStatus: 'disabled' },
      { 'if-match': '*' },
    );

    const { attestation: _attestation, ...terms } = GROUP;
    expect((await call('GET', at('2021-10-01'))).body).toMatchObject({
      ...terms,
      provisioningStatus: 'disabled',
    });
  });

  test('keys are in the answers until 2018-11-01 only', async () => {
    await call('PUT', at('2021-10-01'), GROUP);

    expect((await call('GET', at('2018-09-01'))).body.attestation).toMatchObject({ symmetricKey });
    expect((await call('GET', at('2018-11-01'))).body.attestation).toEqual({ type: 'symmetricKey' });
  });

  test.each(['?', '?api-version=', '?api-version=2016-01-01'])(
    'the query "%s" is refused with 400',
    async (query) => {
      expect(await call('GET', `/enrollments/dev-1${query}`)).toMatchObject({
        status: 400,
        body: { errorCode: 400004 },
      });
    },
  );

  test('queries name the type of their items', async () => {
    const query = { query: 'SELECT *' };
    const types = await Promise.all(
      ['enrollments', 'enrollmentGroups'].map((kind) =>
        call('POST', `/${kind}/query?api-version=2021-10-01`, query),
      ),
    );
    await call('PUT', at('2021-10-01'), GROUP);
    types.push(await call('POST', '/registrations/plants/query?api-version=2021-10-01', query));

    expect(types.map(({ headers }) => headers['x-ms-item-type'])).toEqual([
      'Enrollment',
      'EnrollmentGroup',
      'DeviceRegistration',
    ]);
  });

  test('an Entra token is refused with these words, and an unknown path is 404 with any token', async () => {
    const entra = await call('GET', '/enrollments/a?api-version=2021-10-01', undefined, {
      authorization: 'Bearer x',
    });
    const unknown = await call('GET', '/nothing', undefined, { authorization: 'wrong' });

    expect(entra).toMatchObject({
      status: 401,
      body: { message: expect.stringContaining('not in the local DPS') },
    });
    expect(unknown.status).toBe(404);
  });
});

test("an enrollment of the user's own with the CA of an initial group goes first", async () => {
  const authority = await testAuthority();
  const root = { type: 'x509' as const, certificates: [authority.root] };
  const local = await startLocalDps([
    { enrollmentGroupId: 'fleet-x509', attestation: root, allocationPolicy: 'static', iotHubs: [WEU] },
  ]);
  const signingCertificates = { primary: { certificate: authority.root } };
  await local.service().createOrUpdateEnrollmentGroup({
    enrollmentGroupId: 'my-group',
    attestation: { type: 'x509', x509: { signingCertificates } },
    allocationPolicy: 'static',
    iotHubs: [WEU],
  } as never);

  await local.register('dev-1', { certificate: await authority.issueDevice('dev-1') });

  expect(local.dps.registrations()).toMatchObject([{ registrationId: 'dev-1', enrollmentId: 'my-group' }]);
  await local.close();
});
