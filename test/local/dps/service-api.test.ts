import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type {
  EnrollmentGroup,
  IndividualEnrollment,
} from 'azure-iot-provisioning-service/dist/interfaces.js';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import {
  customGroup,
  GROUP_KEY,
  type LocalDps,
  startLocalDps,
  startWebhook,
  testAuthority,
  type Webhook,
} from './local-dps.ts';

const group = (terms: object = {}): EnrollmentGroup =>
  ({
    enrollmentGroupId: 'plants',
    attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: GROUP_KEY, secondaryKey: testKey(6) } },
    allocationPolicy: 'static',
    iotHubs: [WEU],
    ...terms,
  }) as EnrollmentGroup;
const individual = (terms: object = {}): IndividualEnrollment =>
  ({
    registrationId: 'dev-1',
    deviceId: 'Device-One',
    attestation: { type: 'symmetricKey' },
    allocationPolicy: 'static',
    iotHubs: [WEU],
    ...terms,
  }) as IndividualEnrollment;

let local: LocalDps;
let webhook: Webhook;
let service: ReturnType<LocalDps['service']>;
beforeEach(async () => {
  webhook = await startWebhook();
  local = await startLocalDps([]);
  service = local.service();
});
afterEach(async () => {
  await local.close();
  await webhook.close();
});
const body = async (call: Promise<unknown>) =>
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into at every depth
  ((await call) as { responseBody?: unknown }).responseBody as any;
const failure = async (call: Promise<unknown>) => {
  const error = (await call.catch((reason: unknown) => reason)) as { name: string; responseBody: string };
  return { name: error.name, ...(JSON.parse(error.responseBody) as object) };
};

describe('an enrollment that was created with the SDK', () => {
  test('lets a device of a group register with a derived key', async () => {
    await service.createOrUpdateEnrollmentGroup(group());

    expect(await local.register('dev-7')).toMatchObject({ assignedHub: WEU });
  });

  test('lets an individual device register under its device id with a key that DPS made', async () => {
    await service.createOrUpdateIndividualEnrollment(individual());
    const { symmetricKey } = await body(service.getIndividualEnrollmentAttestationMechanism('dev-1'));

    const result = await local.register('dev-1', { key: symmetricKey.primaryKey });

    expect(Buffer.from(symmetricKey.secondaryKey, 'base64')).toHaveLength(64);
    expect(result).toMatchObject({ assignedHub: WEU, deviceId: 'Device-One' });
    expect(await body(service.getDeviceRegistrationState('dev-1'))).toMatchObject({
      registrationId: 'dev-1',
      assignedHub: WEU,
      deviceId: 'Device-One',
      status: 'assigned',
    });
  });

  test("lets a device register with a certificate of the group's CA", async () => {
    const authority = await testAuthority();
    const signingCertificates = { primary: { certificate: authority.root } };
    await service.createOrUpdateEnrollmentGroup(
      group({ attestation: { type: 'x509', x509: { signingCertificates } } }),
    );

    const result = await local.register('dev-1', { certificate: await authority.issueDevice('dev-1') });

    expect(result).toMatchObject({ assignedHub: WEU, x509: { enrollmentGroupId: 'plants' } });
  });

  test('calls its webhook with the key of the URL', async () => {
    await service.createOrUpdateEnrollmentGroup(customGroup(webhook) as never);
    const shown = await body(service.getEnrollmentGroup('contoso-devices'));
    await service.deleteEnrollmentGroup(shown);
    const customAllocationDefinition = { webhookUrl: webhook.url, apiVersion: '2021-10-01' };
    await service.createOrUpdateEnrollmentGroup(
      group({ allocationPolicy: 'custom', iotHubs: [], customAllocationDefinition }),
    );

    await local.register('dev-1');

    expect(webhook.requests).toMatchObject([
      {
        enrollmentGroup: {
          enrollmentGroupId: 'plants',
          customAllocationDefinition: { webhookUrl: webhook.url.replace(/\?.*/, '?****') },
        },
      },
    ]);
  });

  test('hides its keys and the key of its webhook in every answer', async () => {
    const customAllocationDefinition = { webhookUrl: webhook.url, apiVersion: '2021-10-01' };
    await service.createOrUpdateEnrollmentGroup(group({ customAllocationDefinition }));

    const shown = JSON.stringify([
      await body(service.getEnrollmentGroup('plants')),
      await body(service.createEnrollmentGroupQuery({ query: 'SELECT *' } as never).next()),
    ]);

    expect(shown).toContain('?****');
    expect(shown).not.toContain(GROUP_KEY);
    expect(shown).not.toContain('very-secret');
  });

  test('shows the public keys of a TPM, also for a key that no TPM has, and a device with another key is refused', async () => {
    const tpm = { endorsementKey: testKey(4) };
    await service.createOrUpdateIndividualEnrollment(individual({ attestation: { type: 'tpm', tpm } }));

    expect(await body(service.getIndividualEnrollment('dev-1'))).toMatchObject({
      attestation: { type: 'tpm', tpm },
    });
    await expect(local.register('dev-1')).rejects.toMatchObject({ name: 'UnauthorizedError' });
  });
});

describe('the ETag of an enrollment', () => {
  test('an update or deletion needs the current ETag of the enrollment', async () => {
    const first = await body(service.createOrUpdateEnrollmentGroup(group()));
    const second = await body(
      service.createOrUpdateEnrollmentGroup(group({ etag: first.etag, provisioningStatus: 'disabled' })),
    );

    expect(second).toMatchObject({
      provisioningStatus: 'disabled',
      createdDateTimeUtc: first.createdDateTimeUtc,
    });
    expect(second.lastUpdatedDateTimeUtc > first.lastUpdatedDateTimeUtc).toBe(true);
    expect(await failure(service.createOrUpdateEnrollmentGroup(group({ etag: first.etag })))).toMatchObject({
      name: 'InvalidEtagError',
      errorCode: 412001,
    });
    expect(await failure(service.deleteEnrollmentGroup('plants', String(first.etag)))).toMatchObject({
      name: 'InvalidEtagError',
    });
    await service.deleteEnrollmentGroup('plants', String(second.etag));
    expect(await failure(service.getEnrollmentGroup('plants'))).toMatchObject({ errorCode: 404201 });
  });

  test('a request without an ETag can only create an enrollment', async () => {
    await service.createOrUpdateEnrollmentGroup(group());

    expect(await failure(service.createOrUpdateEnrollmentGroup(group()))).toMatchObject({
      name: 'DeviceAlreadyExistsError',
      errorCode: 409001,
    });
  });

  test('an update without keys generates new keys', async () => {
    const { etag } = await body(service.createOrUpdateEnrollmentGroup(group()));
    await service.createOrUpdateEnrollmentGroup(group({ etag, attestation: { type: 'symmetricKey' } }));

    const { symmetricKey } = await body(service.getEnrollmentGroupAttestationMechanism('plants'));

    expect(symmetricKey.primaryKey).not.toBe(GROUP_KEY);
  });
});

describe('queries for enrollments', () => {
  test('a query returns pages', async () => {
    for (const id of ['c', 'a', 'b']) {
      await service.createOrUpdateIndividualEnrollment(individual({ registrationId: id }));
    }
    const query = service.createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments' } as never, 2);

    const first = await body(query.next());
    // Told where it goes on: without, `next()` asks for the first page for ever.
    const second = await body(query.next(query.continuationToken));

    const ids = (page: unknown) =>
      (page as { registrationId: string }[]).map(({ registrationId }) => registrationId);
    expect([ids(first), ids(second), query.hasMoreResults]).toEqual([['a', 'b'], ['c'], false]);
  });

  test('a query finds the registrations of a group', async () => {
    await service.createOrUpdateEnrollmentGroup(group());
    await local.register('dev-1');
    const query = service.createEnrollmentGroupDeviceRegistrationStateQuery(
      { query: 'SELECT *' } as never,
      'plants',
    );

    expect(await body(query.next())).toMatchObject([{ registrationId: 'dev-1', status: 'assigned' }]);
    await service.deleteDeviceRegistrationState('dev-1');
    expect(await failure(service.getDeviceRegistrationState('dev-1'))).toMatchObject({ errorCode: 404201 });
  });
});

test('a bulk operation says which of its enrollments failed', async () => {
  await service.createOrUpdateIndividualEnrollment(individual());
  // With a callback: the promise form never settles (azure-iot-provisioning-service 1.11.2).
  const run = (mode: string, ...enrollments: object[]) =>
    new Promise((resolve, reject) => {
      service.runBulkEnrollmentOperation({ mode, enrollments } as never, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });

  expect(await run('create', individual(), individual({ registrationId: 'dev-2' }))).toEqual({
    isSuccessful: false,
    errors: [{ registrationId: 'dev-1', errorCode: 409001, errorStatus: expect.any(String) }],
  });
  expect(await run('delete', individual(), individual({ registrationId: 'dev-2' }))).toEqual({
    isSuccessful: true,
    errors: [],
  });
});

describe('a refused call to the service API', () => {
  test('a call with another key is refused', async () => {
    expect(await failure(local.service(testKey(9)).getEnrollmentGroup('x'))).toMatchObject({
      name: 'UnauthorizedError',
      errorCode: 401002,
    });
  });

  test.each([
    [
      'a key that is not valid',
      group({ attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: 'short' } } }),
    ],
    ['the policy custom but no webhook', group({ allocationPolicy: 'custom' })],
    [
      'TPM attestation in a group',
      group({ attestation: { type: 'tpm', tpm: { endorsementKey: testKey(1) } } }),
    ],
    ['X.509 attestation without a certificate', group({ attestation: { type: 'x509', x509: {} } })],
    ['an unknown CA', group({ attestation: { type: 'x509', x509: { caReferences: { primary: 'root' } } } })],
  ])('an enrollment with %s is refused', async (_, enrollment) => {
    expect(await failure(service.createOrUpdateEnrollmentGroup(enrollment))).toMatchObject({
      name: 'ArgumentError',
      errorCode: 400004,
    });
  });
});

test('changes through the service API survive a restart, including deletions of the initial enrollments', async () => {
  const directory = temporaryFolder('dps');
  const begin = () => startLocalDps([customGroup(webhook)], { directory });
  const first = await begin();
  await first.service().createOrUpdateIndividualEnrollment(individual());
  await first.service().deleteEnrollmentGroup('contoso-devices');
  await first.close();

  const second = await begin();

  expect(await body(second.service().getIndividualEnrollment('dev-1'))).toMatchObject({
    registrationId: 'dev-1',
  });
  await expect(second.register('dev-2', { key: deriveDeviceKey(GROUP_KEY, 'dev-2') })).rejects.toThrow();
  await second.close();
});
