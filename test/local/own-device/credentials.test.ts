import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type OwnCertificates, openAuthority, openOwnCertificates } from '../../../local/ca/index.ts';
import { registerWithTpm } from '../../../local/devices/tpm-device.ts';
import { deriveDeviceKey } from '../../../local/dps/index.ts';
import { berthTerms, localEnrollments, PLAIN_TERMS } from '../../../local/enrollments.ts';
import {
  type CredentialsContext,
  credentialsOf,
  type OwnDevice,
  type OwnDeviceRequest,
} from '../../../local/own-device/credentials.ts';
import { readTpmKeys, tpmOfDevice } from '../../../local/own-device/tpm-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { type LocalDps, startLocalDps } from '../dps/local-dps.ts';

const ID_SCOPE = '0ne00000001';
const USER_KEY = Buffer.alloc(32, 9).toString('base64');

let certificates: OwnCertificates;
let local: LocalDps;
let context: CredentialsContext;
beforeAll(async () => {
  const directory = join(temporaryFolder('own-device'), 'ca');
  certificates = openOwnCertificates(await openAuthority({ directory }), directory);
  local = await startLocalDps([
    {
      registrationId: 'enrolled',
      attestation: { type: 'symmetricKey', primaryKey: USER_KEY, secondaryKey: USER_KEY },
    },
    {
      enrollmentGroupId: 'line-1',
      attestation: { type: 'symmetricKey', primaryKey: USER_KEY, secondaryKey: USER_KEY },
    },
  ]);
  context = {
    dps: local.dps,
    idScope: ID_SCOPE,
    certificates,
    tpmOf: (id) => tpmOfDevice(join(directory, '..', 'tpm'), id),
    terms: PLAIN_TERMS,
    prefix: 'devices',
  };
});
afterAll(() => local.close());

const give = (registrationId: string, request: Partial<OwnDeviceRequest> = {}): Promise<OwnDevice> =>
  credentialsOf({ registrationId, proof: 'key', group: undefined, edge: false, ...request }, context);
/** Registers with what was given, by the official SDK. */
async function registers({ registrationId, key, certificate }: OwnDevice) {
  const how =
    certificate === null
      ? { key: key ?? '' }
      : {
          certificate: {
            certificate: readFileSync(certificate.certificate, 'utf8'),
            key: readFileSync(certificate.key, 'utf8'),
          },
        };
  const { deviceId } = (await local.register(registrationId, how)) as unknown as {
    readonly deviceId: string;
  };
  return deviceId;
}
const isEdge = (deviceId: string) =>
  local.hubs.views.some(
    (view) =>
      (view.twin(deviceId)?.capabilities as { readonly iotEdge?: boolean } | undefined)?.iotEdge === true,
  );

describe('a device of the user', () => {
  test('gets a key of the group for devices with keys, and registers with it', async () => {
    const first = await give('lamp-1');
    const second = await give('lamp-2');

    expect(first).toMatchObject({
      idScope: ID_SCOPE,
      enrollment: { kind: 'group', id: 'devices', isNew: true },
      certificate: null,
    });
    expect(second.enrollment).toEqual({ kind: 'group', id: 'devices', isNew: false });
    expect(second.key).not.toBe(first.key);
    expect(await registers(first)).toBe('lamp-1');
    expect((await give('lamp-1')).key).toBe(first.key);
  });

  test('gets a key of the group of the user that it names', async () => {
    const own = await give('lamp-3', { group: 'LINE-1' });

    expect(own.key).toBe(deriveDeviceKey(USER_KEY, 'lamp-3'));
    expect(own.enrollment.isNew).toBe(false);
    expect(await registers(own)).toBe('lamp-3');
  });

  test('gets a group that it names and that is missing', async () => {
    const own = await give('lamp-4', { group: 'line-2' });

    expect(own.enrollment).toEqual({ kind: 'group', id: 'line-2', isNew: true });
    expect(await registers(own)).toBe('lamp-4');
  });

  test('gets the key of its individual enrollment, which has precedence over groups', async () => {
    const own = await give('Enrolled');

    expect(own).toMatchObject({ enrollment: { kind: 'individual', isNew: false }, key: USER_KEY });
  });

  test('gets a certificate, which stays the same, and registers with it', async () => {
    const own = await give('meter-1', { proof: 'x509' });
    const again = await give('meter-1', { proof: 'x509' });

    expect(own).toMatchObject({ key: null, enrollment: { id: 'devices-x509', isNew: true } });
    expect(again.certificate).toEqual(own.certificate);
    expect(await registers(own)).toBe('meter-1');
  });

  test('of another group with certificates does not get into the first group', async () => {
    const plain = await give('meter-2', { proof: 'x509' });
    const edge = await give('meter-3', { proof: 'x509', edge: true });

    expect([isEdge(await registers(edge)), isEdge(await registers(plain))]).toEqual([true, false]);
  });

  test('with --edge becomes an IoT Edge device', async () => {
    const own = await give('gateway-1', { edge: true });

    expect(own.enrollment.id).toBe('devices-edge');
    expect(isEdge(await registers(own))).toBe(true);
  });

  test('gets a TPM, which stays the same, and registers with it', async () => {
    const own = await give('vault-1', { proof: 'tpm' });
    const again = await give('vault-1', { proof: 'tpm' });

    const keys = readTpmKeys(own.tpm ?? '');
    const { authority, ports } = local;
    const registered = await registerWithTpm({
      registrationId: 'vault-1',
      keys: keys ?? { endorsement: '', storageRoot: '' },
      payload: {},
      idScope: ID_SCOPE,
      ca: authority.root,
      httpsPort: ports.https,
    });
    expect(own).toMatchObject({ key: null, enrollment: { kind: 'individual', isNew: true } });
    expect(again).toMatchObject({ tpm: own.tpm, enrollment: { isNew: false } });
    expect(registered.deviceId).toBe('vault-1');
  });

  test.each([
    [
      'a TPM in a group',
      { group: 'line-1', proof: 'tpm' },
      /needs an individual enrollment: leave out --group/,
    ],
    [
      'a certificate for a group with keys',
      { group: 'line-1', proof: 'x509' },
      /has the attestation symmetricKey, not x509: leave out --x509/,
    ],
    [
      'IoT Edge in a group without it',
      { group: 'line-1', edge: true },
      /is not for IoT Edge devices: leave out --edge/,
    ],
  ] as const)('is refused with what to change: %s', async (_what, request, message) => {
    const before = local.dps.enrollments();

    await expect(give('wrong', request)).rejects.toMatchObject({
      code: 'BERTH_LOCAL_DEVICE_ENROLLMENT',
      message: expect.stringMatching(message),
    });
    expect(local.dps.enrollments()).toEqual(before);
  });
});

describe('a device of the user, with Berth', () => {
  test('uses the groups of Berth, and a group that it makes calls the present webhook', async () => {
    const root = readFileSync(certificates.trust.root, 'utf8');
    const ports = [7071, 7072].map((port) => berthTerms(`http://127.0.0.1:${port}/api/allocate`));
    const [first = PLAIN_TERMS, second = PLAIN_TERMS] = ports;
    const berth = await startLocalDps(localEnrollments(first, root));
    const withTerms = (terms: typeof first): CredentialsContext => ({
      ...context,
      dps: berth.dps,
      terms,
      prefix: 'fleet',
    });
    const request = { registrationId: 'pump', group: undefined, edge: false } as const;

    const keyed = await credentialsOf({ ...request, proof: 'key' }, withTerms(first));
    const certified = await credentialsOf({ ...request, proof: 'x509' }, withTerms(first));
    await credentialsOf({ ...request, proof: 'key', edge: true }, withTerms(first));
    await credentialsOf({ ...request, proof: 'key', edge: true }, withTerms(second));

    expect([keyed.enrollment, certified.enrollment]).toEqual([
      { kind: 'group', id: 'fleet', isNew: false },
      { kind: 'group', id: 'fleet-x509', isNew: false },
    ]);
    expect(berth.dps.enrollment('group', 'fleet-edge')).toMatchObject({
      capabilities: { iotEdge: true },
      customAllocationDefinition: { webhookUrl: expect.stringContaining('7072') },
    });
    await berth.close();
  });
});
