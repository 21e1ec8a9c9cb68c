import { afterEach, describe, expect, test } from '@jest/globals';
import { type KeyedCertificate, openAuthority } from '../../../local/ca/index.ts';
import { deriveDeviceKey, type Enrollment } from '../../../local/dps/index.ts';
import { testKey, WEU } from '../iot-hub/local-hubs.ts';
import {
  GROUP_KEY,
  type LocalDps,
  PROTOCOLS,
  type Registering,
  startLocalDps,
  testAuthority,
} from './local-dps.ts';

const DAY_MS = 86_400_000;

describe('the derived key of a device in a group', () => {
  // The example of tutorial-custom-allocation-policies.md.
  const groupKey = 'oiK77Oy7rBw8YB6IS6ukRChAw+Yq6GC61RMrPLSTiOOtdI+XDu0LmLuNm11p+qv2I+adqGUdZHm46zXAQdZoOA==';

  test.each([
    ['breakroom499-contoso-tstrsd-007', 'JC8F96eayuQwwz+PkE7IzjH2lIAjCUnAa61tDigBnSs='],
    ['mainbuilding167-contoso-hpsd-088', '6uejA9PfkQgmYylj8Zerp3kcbeVrGZ172YLa7VSnJzg='],
  ])('the key of %s is derived as documented', (registrationId, key) => {
    expect(deriveDeviceKey(groupKey, registrationId)).toBe(key);
  });
});

describe.each(PROTOCOLS)('attestation over %s', (over) => {
  let local: LocalDps;
  afterEach(() => local.close());

  const start = async (...enrollments: Enrollment[]) => {
    local = await startLocalDps(
      enrollments.map((enrollment) => ({ allocationPolicy: 'static', ...enrollment })),
    );
  };
  const register = (registrationId: string, how: Registering = {}) =>
    local.register(registrationId, { over, ...how });
  const refused = (registrationId: string, how: Registering = {}) =>
    expect(register(registrationId, how)).rejects.toMatchObject(
      // Over AMQP, the SDK passes the error of the rejected message on.
      over.startsWith('amqp')
        ? { condition: 'amqp:unauthorized-access', description: expect.stringContaining('401002') }
        : { name: 'UnauthorizedError' },
    );

  const keyGroup: Enrollment = {
    enrollmentGroupId: 'group',
    attestation: { type: 'symmetricKey', primaryKey: GROUP_KEY, secondaryKey: testKey(6) },
  };

  describe('symmetric keys', () => {
    test('a device registers with a key derived from either key of its group', async () => {
      await start(keyGroup);

      expect(await register('dev-1')).toMatchObject({ assignedHub: WEU, deviceId: 'dev-1' });
      expect(await register('dev-2', { key: deriveDeviceKey(testKey(6), 'dev-2') })).toMatchObject({
        assignedHub: WEU,
      });
    });

    test('a device is refused with the key of another device, of another group, or of the group itself', async () => {
      await start(keyGroup);

      await refused('dev-1', { key: deriveDeviceKey(GROUP_KEY, 'dev-2') });
      await refused('dev-1', { key: deriveDeviceKey(testKey(9), 'dev-1') });
      await refused('dev-1', { key: GROUP_KEY });
    });

    test('registration ids are compared without case', async () => {
      await start(keyGroup);
      await register('dev-1');

      const again = await register('DEV-1', { key: deriveDeviceKey(GROUP_KEY, 'dev-1') });

      expect(again.deviceId).toBe('dev-1');
      expect(local.hubs.view(WEU)?.deviceCount).toBe(1);
    });

    test('a device of the second group registers through that group', async () => {
      const first = {
        ...keyGroup,
        attestation: { ...keyGroup.attestation, primaryKey: testKey(8), secondaryKey: testKey(9) },
      };
      await start(first as Enrollment, { ...keyGroup, enrollmentGroupId: 'second' } as Enrollment);

      expect(await register('dev-1')).toMatchObject({ symmetricKey: { enrollmentGroupId: 'second' } });
    });

    test('a device of a disabled group is refused', async () => {
      await start({ ...keyGroup, provisioningStatus: 'disabled' });
      await refused('dev-1');
    });

    test('a device registers through its individual enrollment under another device id', async () => {
      await start(keyGroup, {
        registrationId: 'dev-1',
        deviceId: 'Device One'.replace(' ', '-'),
        attestation: { type: 'symmetricKey', primaryKey: testKey(1), secondaryKey: testKey(2) },
      });

      expect(await register('dev-1', { key: testKey(2) })).toMatchObject({ deviceId: 'Device-One' });
      expect(local.hubs.provisioning(WEU)?.read('Device-One')?.authentication).toEqual({
        type: 'sas',
        symmetricKey: { primaryKey: testKey(1), secondaryKey: testKey(2) },
      });
      await refused('dev-1'); // with the key of the group: the individual enrollment takes precedence
    });

    test('a device with a disabled individual enrollment gets an error with the reason', async () => {
      await start({
        registrationId: 'dev-1',
        provisioningStatus: 'disabled',
        attestation: { type: 'symmetricKey', primaryKey: testKey(1), secondaryKey: testKey(2) },
      });

      await expect(register('dev-1', { key: testKey(1) })).rejects.toThrow('status is disabled');
      expect(local.hubs.view(WEU)?.deviceCount).toBe(0);
    });

    test('a device with another ID scope is refused', async () => {
      await start(keyGroup);
      await refused('dev-1', { idScope: '0neOTHER' });
    });
  });

  describe('certificates', () => {
    const groupOf = (certificate: string): Enrollment => ({
      enrollmentGroupId: 'plants',
      attestation: { type: 'x509', certificates: [certificate] },
    });

    test("a device registers with a certificate of its group's root, and its hub accepts that certificate", async () => {
      const authority = await testAuthority();
      await start(keyGroup, groupOf(authority.root));
      const certificate = await authority.issueDevice('dev-1');

      const result = await register('dev-1', { certificate });

      expect(result).toMatchObject({ assignedHub: WEU, x509: { enrollmentGroupId: 'plants' } });
      expect(local.hubs.view(WEU)?.twin('dev-1')).toMatchObject({
        authenticationType: 'selfSigned',
        x509Thumbprint: { primaryThumbprint: expect.stringMatching(/^[0-9A-F]{64}$/) },
      });
    });

    test('a device registers with a certificate of an intermediate if its group names the root or the intermediate', async () => {
      const authority = await testAuthority();
      const intermediate = await authority.issueIntermediate('plant 7');
      const certificate = await authority.issueDevice('dev-1', { through: intermediate });
      const leafOnly = {
        ...certificate,
        certificate: certificate.certificate.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? '',
      };

      await start(groupOf(authority.root));
      expect(await register('dev-1', { certificate })).toMatchObject({ assignedHub: WEU });
      await refused('dev-1', { certificate: leafOnly }); // the intermediate certificate is missing
      await local.close();

      await start(groupOf(intermediate.certificate));
      expect(await register('dev-1', { certificate: leafOnly })).toMatchObject({ assignedHub: WEU });
    });

    test('a certificate of a foreign authority with the same name is refused', async () => {
      await start(groupOf((await testAuthority()).root));
      await refused('dev-1', { certificate: await (await openAuthority()).issueDevice('dev-1') });
    });

    test('a certificate whose common name is another id is refused', async () => {
      const authority = await testAuthority();
      await start(groupOf(authority.root));
      await refused('dev-1', { certificate: await authority.issueDevice('dev-2') });
    });

    test('an expired certificate is refused', async () => {
      const past = await openAuthority({ now: () => Date.now() - 20 * DAY_MS });
      await start(groupOf(past.root));
      await refused('dev-1', { certificate: await past.issueDevice('dev-1', { days: 10 }) });
    });

    test('a certificate that another device certificate signed is refused', async () => {
      const authority = await testAuthority();
      await start(groupOf(authority.root));
      const device = await authority.issueDevice('dev-1');
      const forged: KeyedCertificate = await authority.issueDevice('dev-2', { through: device });
      await refused('dev-2', { certificate: forged });
    });

    test('a device registers only with the exact certificate of its individual enrollment', async () => {
      const authority = await testAuthority();
      const certificate = await authority.issueDevice('dev-1');
      await start({
        registrationId: 'dev-1',
        attestation: { type: 'x509', certificates: [certificate.certificate] },
      });

      expect(await register('dev-1', { certificate })).toMatchObject({ assignedHub: WEU });
      await refused('dev-1', { certificate: await authority.issueDevice('dev-1') });
    });
  });
});
