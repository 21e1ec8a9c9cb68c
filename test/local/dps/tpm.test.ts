import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Client } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import type { RegistrationResult } from 'azure-iot-provisioning-device';
import { createTpmSecurity, endorsementKeyOf, registerWithTpm } from '../../../local/devices/tpm-device.ts';
import type { Enrollment } from '../../../local/dps/index.ts';
import { createSimulatedTpm, generateTpmKeys } from '../../../local/tpm/index.ts';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import { customGroup, GROUP_KEY, ID_SCOPE, type LocalDps, startLocalDps, startWebhook } from './local-dps.ts';
import { callRuntime } from './runtime-calls.ts';

const keys = generateTpmKeys();
const other = generateTpmKeys();
const tpm = createSimulatedTpm(keys);
const [endorsementKey, storageRootKey] = [tpm.endorsementKey, tpm.storageRootKey].map((each) =>
  each.toString('base64'),
) as [string, string];

const enrolled = (terms: Partial<Enrollment> & { readonly storageRootKey?: string } = {}): Enrollment => {
  const { storageRootKey: enrolledRoot, ...rest } = terms;
  return {
    registrationId: 'tpm-1',
    attestation: { type: 'tpm', endorsementKey, ...(enrolledRoot && { storageRootKey: enrolledRoot }) },
    allocationPolicy: 'static',
    iotHubs: [WEU],
    ...rest,
  } as Enrollment;
};

let local: LocalDps | undefined;
const start = async (...enrollments: Enrollment[]): Promise<LocalDps> => {
  local = await startLocalDps(enrollments);
  return local;
};
afterEach(() => local?.close());

const register = (
  dps: LocalDps,
  how: { readonly keys?: typeof keys; readonly registrationId?: string } = {},
) =>
  registerWithTpm({
    registrationId: how.registrationId ?? 'tpm-1',
    keys: how.keys ?? keys,
    payload: {},
    idScope: ID_SCOPE,
    ca: dps.authority.root,
    httpsPort: dps.ports.https,
  });

describe('a device with a TPM', () => {
  test('registers over HTTPS and connects to its hub with the key that only its TPM can open', async () => {
    const dps = await start(enrolled());

    const device = await register(dps);

    expect(device).toMatchObject({ hub: WEU, deviceId: 'tpm-1' });
    const inAnHour = Math.ceil(Date.now() / 1000) + 3600;
    const provider = device.authentication(inAnHour, `localhost:${dps.ports.mqtt}`);
    const client = Client.fromAuthenticationProvider(provider, Mqtt);
    await client.setOptions({ ca: dps.authority.root });
    await client.open();
    expect((await client.getTwin()).properties.desired.$version).toBe(1);
    await client.close();
  });

  test('registers again, gets another key for the hub, and keeps its device id', async () => {
    const dps = await start(enrolled({ deviceId: 'machine-7' } as Partial<Enrollment>));

    const first = await register(dps);
    const key = () => dps.hubs.provisioning(WEU)?.read('machine-7')?.authentication;
    const firstKey = key();
    const second = await register(dps);

    expect([first.deviceId, second.deviceId]).toEqual(['machine-7', 'machine-7']);
    expect(key()).not.toEqual(firstKey);
    expect(dps.dps.registrations()).toMatchObject([
      { attestation: 'tpm', substatus: 'reprovisionedToInitialAssignment' },
    ]);
  });

  test('registers with the storage root key of its enrollment', async () => {
    expect(await register(await start(enrolled({ storageRootKey })))).toMatchObject({ hub: WEU });
  });

  test.each([
    ['another endorsement key', enrolled(), other],
    [
      'another storage root key than its enrollment',
      enrolled({ storageRootKey: createSimulatedTpm(other).storageRootKey.toString('base64') }),
      keys,
    ],
  ])('is refused with %s', async (_, enrollment, used) => {
    await expect(register(await start(enrollment), { keys: used })).rejects.toThrow(
      'The server did NOT respond with an appropriately formatted authentication blob.',
    );
  });

  test('gets 404 and 404201 if it is not enrolled', async () => {
    const dps = await start(enrolled());

    const answer = await callRuntime(dps, 'PUT', `/${ID_SCOPE}/registrations/tpm-2/register`, {
      registrationId: 'tpm-2',
      tpm: { endorsementKey, storageRootKey },
    });

    expect(answer).toMatchObject({ status: 404, body: { errorCode: 404201 } });
  });

  test('of a disabled enrollment learns that it is disabled', async () => {
    const dps = await start(enrolled({ provisioningStatus: 'disabled' }));
    await expect(register(dps)).rejects.toThrow('status is disabled');
  });

  test('sends its public keys to the webhook', async () => {
    const webhook = await startWebhook();
    const { allocationPolicy, customAllocationDefinition } = customGroup(webhook);
    const dps = await start(
      enrolled({ allocationPolicy, customAllocationDefinition, iotHubs: [] } as Partial<Enrollment>),
    );

    await register(dps);

    expect(webhook.requests).toMatchObject([
      {
        individualEnrollment: { attestation: { type: 'tpm', tpm: { endorsementKey } } },
        deviceRuntimeContext: { registrationId: 'tpm-1', tpm: { endorsementKey, storageRootKey } },
      },
    ]);
    expect(webhook.requests[0].deviceRuntimeContext).not.toHaveProperty('symmetricKey');
    await webhook.close();
  });
});

describe.each(['amqp', 'amqp-ws'] as const)('a device with a TPM over %s', (over) => {
  const registering = (dps: LocalDps, device: ReturnType<typeof createSimulatedTpm>, id = 'tpm-1') =>
    dps.register(id, { over, security: createTpmSecurity(id, device) });

  test('registers, and its hub gets the key that its TPM has opened', async () => {
    const dps = await start(enrolled());
    const device = createSimulatedTpm(keys);

    const result = (await registering(dps, device)) as unknown as {
      readonly registrationState: RegistrationResult;
    };

    expect(result.registrationState).toMatchObject({ assignedHub: WEU, deviceId: 'tpm-1' });
    const hubKey = dps.hubs.provisioning(WEU)?.read('tpm-1')?.authentication as {
      readonly symmetricKey: { readonly primaryKey: string };
    };
    const text = Buffer.from('data');
    expect(device.sign(text)).toEqual(
      createHmac('sha256', Buffer.from(hubKey.symmetricKey.primaryKey, 'base64')).update(text).digest(),
    );
  });

  test.each([
    ['has another endorsement key', 'tpm-1', other, '401002'],
    ['is not enrolled', 'tpm-2', keys, '404201'],
  ])('is refused with a code if it %s', async (_, id, used, code) => {
    const dps = await start(enrolled());

    await expect(registering(dps, createSimulatedTpm(used), id)).rejects.toMatchObject({
      description: expect.stringContaining(code),
    });
    expect(dps.dps.registrations()).toEqual([]);
  });
});

describe('the challenge over HTTPS', () => {
  let dps: LocalDps;
  const path = `/${ID_SCOPE}/registrations/tpm-1/register`;
  const body = { registrationId: 'tpm-1', tpm: { endorsementKey, storageRootKey } };
  beforeEach(async () => {
    dps = await start(enrolled());
  });
  const tokenOf = (challenge: string, expiry = Math.ceil(Date.now() / 1000) + 3600): string => {
    const device = createSimulatedTpm(keys);
    device.activateIdentityKey(Buffer.from(challenge, 'base64'));
    const sr = encodeURIComponent(`${ID_SCOPE}/registrations/tpm-1`);
    const sig = encodeURIComponent(device.sign(Buffer.from(`${sr}\n${expiry}`)).toString('base64'));
    return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${expiry}&skn=registration`;
  };

  test('is 401 with a message and a new key each time, and earlier keys stay valid', async () => {
    const first = await callRuntime(dps, 'PUT', path, body);
    const second = await callRuntime(dps, 'PUT', path, body);

    expect(first).toMatchObject({
      status: 401,
      body: { message: expect.any(String), authenticationKey: expect.any(String), keyName: 'registration' },
    });
    expect(second.body.authenticationKey).not.toBe(first.body.authenticationKey);
    const authorization = tokenOf(first.body.authenticationKey);
    expect(await callRuntime(dps, 'PUT', path, body, { authorization })).toMatchObject({ status: 202 });
  });

  test('is needed: a token that was signed with the key of a group is refused', async () => {
    const { status, body: refusal } = await callRuntime(dps, 'PUT', path, body, {
      authorization: 'SharedAccessSignature sr=x&sig=eA==&se=99999999999',
    });
    expect([status, refusal.errorCode, refusal.authenticationKey]).toEqual([401, 401002, undefined]);
  });

  test('opens only in the TPM for which it was made', async () => {
    const { body: challenge } = await callRuntime(dps, 'PUT', path, body);
    const key = Buffer.from(challenge.authenticationKey, 'base64');
    const changed = Buffer.from(key);
    changed[40] = (changed[40] ?? 0) ^ 1;

    expect(() => createSimulatedTpm(other).activateIdentityKey(key)).toThrow();
    expect(() =>
      createSimulatedTpm({ ...keys, storageRoot: other.storageRoot }).activateIdentityKey(key),
    ).toThrow('integrity');
    expect(() => createSimulatedTpm(keys).activateIdentityKey(changed)).toThrow('integrity');
  });

  test('is not given for keys that are not TPM keys, and the answer says what is wrong', async () => {
    const enrollment = {
      registrationId: 'tpm-3',
      attestation: { type: 'tpm', tpm: { endorsementKey: testKey(4) } },
    };
    await dps.service().createOrUpdateIndividualEnrollment(enrollment as never);

    const answer = await callRuntime(dps, 'PUT', `/${ID_SCOPE}/registrations/tpm-3/register`, {
      tpm: { endorsementKey: testKey(4), storageRootKey },
    });

    expect(answer).toMatchObject({
      status: 400,
      body: { errorCode: 400004, message: expect.stringContaining('not an RSA key of a TPM 2.0') },
    });
  });

  test('is not given to a device whose enrollment does not attest by TPM', async () => {
    const symmetricKey = { primaryKey: testKey(1), secondaryKey: testKey(2) };
    const enrollment = { registrationId: 'key-1', attestation: { type: 'symmetricKey', symmetricKey } };
    await dps.service().createOrUpdateIndividualEnrollment(enrollment as never);

    const answer = await callRuntime(dps, 'PUT', `/${ID_SCOPE}/registrations/key-1/register`, {
      tpm: { endorsementKey, storageRootKey },
    });

    expect(answer).toMatchObject({ status: 401, body: { errorCode: 401002 } });
  });

  test('stays out of what DPS stores, and the key of the hub too', async () => {
    await register(dps);
    const hubKey = dps.hubs.provisioning(WEU)?.read('tpm-1')?.authentication;
    const stored = JSON.stringify([dps.dps.registrations(), dps.dps.enrollments(), dps.log]);

    expect(hubKey).toMatchObject({ type: 'sas' });
    expect(stored).not.toContain(
      (hubKey as { symmetricKey: { primaryKey: string } }).symmetricKey.primaryKey,
    );
    expect(stored).not.toContain('authenticationKey');
  });
});

test('a device with a TPM cannot register over MQTT', async () => {
  const dps = await start(enrolled());
  await expect(dps.register('tpm-1', { over: 'mqtt', key: GROUP_KEY })).rejects.toMatchObject({
    name: 'UnauthorizedError',
  });
});

test('the endorsement key for an enrollment is base64 of the public key', () => {
  expect(endorsementKeyOf(keys)).toBe(endorsementKey);
  // The fixed beginning of every RSA endorsement key with the standard template, as in the samples of the SDKs.
  expect(endorsementKey).toMatch(
    /^AToAAQALAAMAsgAgg3GXZ0SEs\/gakMyNRqXXJP1S124GUgtk8qHaGzMUaaoABgCAAEMAEAgAAAAAAAEA/,
  );
});
