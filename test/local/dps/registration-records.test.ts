import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import { GROUP_KEY, type LocalDps, startLocalDps } from './local-dps.ts';
import { callService, errorOf } from './service-calls.ts';

const keyGroup = (id: string, primaryKey: string) => ({
  enrollmentGroupId: id,
  attestation: { type: 'symmetricKey' as const, primaryKey, secondaryKey: testKey(6) },
  allocationPolicy: 'static' as const,
  iotHubs: [WEU],
});
const individual = {
  registrationId: 'single-1',
  attestation: { type: 'symmetricKey' as const, primaryKey: testKey(1), secondaryKey: testKey(2) },
  allocationPolicy: 'static' as const,
  iotHubs: [WEU],
};

let local: LocalDps;
beforeEach(async () => {
  local = await startLocalDps([keyGroup('plants', GROUP_KEY), keyGroup('Ships', testKey(8)), individual]);
});
afterEach(() => local.close());

describe('the registration records of the service API', () => {
  test('a record has the fields of the specification, and no key', async () => {
    await local.register('dev-1');

    const { responseBody } = await local.service().getDeviceRegistrationState('dev-1');

    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
    expect(responseBody).toEqual({
      registrationId: 'dev-1',
      createdDateTimeUtc: time,
      assignedHub: WEU,
      deviceId: 'dev-1',
      status: 'assigned',
      substatus: 'initialAssignment',
      lastUpdatedDateTimeUtc: time,
      etag: expect.any(String),
    });
  });

  test('a registration deletes only with its own ETag, or without one', async () => {
    const { etag: first } = await local.register('dev-1');
    const { etag: second } = await local.register('dev-1');
    const service = local.service();

    expect(await errorOf(service.deleteDeviceRegistrationState('dev-1', first as string))).toMatchObject({
      name: 'InvalidEtagError',
      errorCode: 412001,
      message: expect.stringContaining('registration'),
    });
    await service.deleteDeviceRegistrationState('DEV-1', second as string);

    expect(await errorOf(service.deleteDeviceRegistrationState('dev-1'))).toMatchObject({
      errorCode: 404201,
    });
    expect(await local.register('dev-1')).toMatchObject({ substatus: 'initialAssignment' });
  });

  test('a query returns the registrations of one group, in pages, whatever the case of its id', async () => {
    for (const id of ['dev-3', 'dev-1', 'dev-2']) await local.register(id);
    await local.register('single-1', { key: testKey(1) });
    const query = local
      .service()
      .createEnrollmentGroupDeviceRegistrationStateQuery({ query: 'SELECT *' } as never, 'PLANTS', 2);

    const first = await query.next();
    const second = await query.next(query.continuationToken);

    const ids = [first, second].map(({ responseBody }) =>
      (responseBody as unknown as { registrationId: string }[]).map(({ registrationId }) => registrationId),
    );
    expect([ids, query.hasMoreResults]).toEqual([[['dev-1', 'dev-2'], ['dev-3']], false]);
  });

  test('a query of registrations needs no body, and a group that does not exist is 404', async () => {
    await local.register('dev-1');

    expect(await callService(local, 'POST', '/registrations/plants/query')).toMatchObject({
      status: 200,
      headers: { 'x-ms-item-type': 'DeviceRegistration' },
      body: [{ registrationId: 'dev-1' }],
    });
    expect(await callService(local, 'POST', '/registrations/nothing/query')).toMatchObject({ status: 404 });
  });

  test('an individual enrollment shows the state of its registration', async () => {
    const before = await local.service().getIndividualEnrollment('single-1');
    await local.register('single-1', { key: testKey(1) });
    const after = await local.service().getIndividualEnrollment('single-1');

    expect(before.responseBody).not.toHaveProperty('registrationState');
    expect(after.responseBody).toMatchObject({
      registrationState: { registrationId: 'single-1', status: 'assigned', assignedHub: WEU },
    });
  });
});
