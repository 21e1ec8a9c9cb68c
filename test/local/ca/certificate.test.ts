import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  createRoot,
  createSigned,
  isIssuedBy,
  isUsable,
  type KeyedCertificate,
  namesRevocationList,
} from '../../../local/ca/certificate.ts';

const NOW = Date.UTC(2026, 10, 29, 10);
const YEAR_DAYS = 365;

const rootOf = (commonName: string, days = 10) => createRoot({ commonName, days, now: NOW });

describe('a certificate of the local authority', () => {
  let root: KeyedCertificate;
  beforeAll(async () => {
    root = await rootOf('Root');
  });
  const server = (options: {
    readonly names?: readonly string[];
    readonly addresses?: readonly string[];
    readonly revocationList?: string;
  }) =>
    createSigned(
      root,
      { kind: 'server', names: ['localhost'], addresses: [], ...options },
      { commonName: 'srv', days: 5, now: NOW },
    );

  test.each(['device-1', 'Ünïcode', 'a'.repeat(64), '名'.repeat(20), 'with,comma=and/slash'])(
    'has the common name %s',
    async (name) => {
      const { certificate } = await rootOf(name);

      expect(new X509Certificate(certificate).toLegacyObject().subject).toEqual({ CN: name });
    },
  );

  test('is issued by an issuer whose name is not ASCII', async () => {
    const issuer = await rootOf('Zähler');

    const device = await createSigned(issuer, { kind: 'client' }, { commonName: 'd', days: 1, now: NOW });

    expect(isIssuedBy(device.certificate, issuer.certificate)).toBe(true);
    expect(isIssuedBy(device.certificate, root.certificate)).toBe(false);
    expect(isUsable(device, NOW, 0)).toBe(true);
  });

  test.each([
    ['before 2050', YEAR_DAYS, 'Nov 29 10:00:00 2027 GMT'],
    ['after 2049', 30 * YEAR_DAYS, 'Nov 21 10:00:00 2056 GMT'],
  ])('ends at the right time %s', async (_, days, validTo) => {
    const { certificate } = await rootOf('Root', days);

    const { validFrom, validTo: end } = new X509Certificate(certificate);
    expect([validFrom, end]).toEqual(['Nov 29 09:55:00 2026 GMT', validTo]);
  });

  test('does not outlive its issuer', async () => {
    const { certificate } = await createSigned(
      root,
      { kind: 'issuer' },
      { commonName: 'i', days: YEAR_DAYS, now: NOW },
    );

    expect(new X509Certificate(certificate).validTo).toBe(new X509Certificate(root.certificate).validTo);
    expect(new X509Certificate(certificate).ca).toBe(true);
  });

  test.each(['127.0.0.1', '::1', '2001:db8::ff00:42:8329', 'fe80::', '1:2:3:4:5:6:7:8'])(
    'covers the address %s',
    async (address) => {
      const { certificate } = await server({ addresses: ['10.0.0.1', address] });

      expect(new X509Certificate(certificate).checkIP(address)).toBe(address);
    },
  );

  test('covers more names than fit into a short length', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `host-${index}.example.org`);

    const { certificate } = await server({ names });

    const read = new X509Certificate(certificate);
    expect(names.filter((name) => read.checkHost(name) === undefined)).toEqual([]);
  });

  test('names its revocation list, and no other', async () => {
    const [listed, unlisted] = [
      await server({ revocationList: 'http://localhost:7080/a.crl' }),
      await server({}),
    ];
    const named = ({ certificate }: KeyedCertificate) =>
      ['http://localhost:7080/a.crl', 'http://localhost:7080/b.crl', undefined].map((url) =>
        namesRevocationList(certificate, url),
      );

    expect(named(listed)).toEqual([true, false, false]);
    expect(named(unlisted)).toEqual([false, false, true]);
    expect(named(root)).toEqual([false, false, true]);
  });
});
