import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { openAuthority } from '../../../local/ca/index.ts';
import { createRevocationListService, startHttp } from '../../../local/https/index.ts';
import { listen } from '../../../local/listen.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const DAY_MS = 86_400_000;

describe('the local certificate authority', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporaryFolder('ca');
  });

  test('keeps root and server certificate between runs, with keys that only the owner can read', async () => {
    const first = await openAuthority({ directory });
    const second = await openAuthority({ directory });

    expect(second.root).toBe(first.root);
    expect(second.server).toEqual(first.server);
    for (const name of ['root.key', 'server.key']) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
  });

  test('issues a server certificate with every name of the servers', async () => {
    const { server } = await openAuthority();
    const certificate = new X509Certificate(server.certificate);

    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkHost('contoso-weu.azure-devices.net')).toBe('*.azure-devices.net');
    expect(certificate.checkHost('global.azure-devices-provisioning.net')).toBe(
      '*.azure-devices-provisioning.net',
    );
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('::1')).toBe('::1');
    expect(certificate.checkHost('example.com')).toBeUndefined();
  });

  test('a client that checks revocation accepts the server with the list, and no list of another root', async () => {
    const authority = await openAuthority({ revocationListAt: 'http://localhost:7080' });
    const other = await openAuthority();
    const { certificate: cert, key } = authority.server;
    const server = createServer({ cert, key }, (socket) => socket.end());
    const port = await listen(server, 0, 'the test');
    const check = (der: Buffer) =>
      new Promise<string>((resolve) => {
        const crl = `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`;
        const options = { port, host: '127.0.0.1', servername: 'localhost', ca: authority.root, crl };
        const socket = connect(options, () => resolve('accepted'));
        socket.on('error', (error) => resolve(error.message));
      });

    const results = [await check(authority.revocationList.der), await check(other.revocationList.der)];
    await new Promise((resolve) => server.close(resolve));

    expect(results).toEqual(['accepted', expect.stringMatching(/CRL/i)]);
    expect(
      new X509Certificate(cert).raw.includes(`http://localhost:7080${authority.revocationList.path}`),
    ).toBe(true);
    expect(authority.revocationList.path).toMatch(/^\/ca\/[0-9a-f]{16}\.crl$/);
  });

  test('replaces a server certificate that names another place of the revocation list', async () => {
    const first = await openAuthority({ directory, revocationListAt: 'http://localhost:1' });
    const same = await openAuthority({ directory, revocationListAt: 'http://localhost:1' });
    const moved = await openAuthority({ directory, revocationListAt: 'http://localhost:2' });

    expect(same.server.certificate).toBe(first.server.certificate);
    expect(moved.server.certificate).not.toBe(first.server.certificate);
    expect(moved.root).toBe(first.root);
  });

  test('serves the revocation list over plain HTTP', async () => {
    const { revocationList } = await openAuthority();
    const http = await startHttp({ port: 0, services: [createRevocationListService(revocationList)] });

    const found = await fetch(`http://localhost:${http.port}${revocationList.path}`);
    const missing = await fetch(`http://localhost:${http.port}/ca/other.crl`);

    expect(found.headers.get('content-type')).toBe('application/pkix-crl');
    expect(Buffer.from(await found.arrayBuffer())).toEqual(revocationList.der);
    expect(missing.status).toBe(404);
    await http.close();
  });

  test('renews the server certificate before it expires and keeps the root', async () => {
    const first = await openAuthority({ directory });
    const later = await openAuthority({ directory, now: () => Date.now() + 340 * DAY_MS });

    expect(later.root).toBe(first.root);
    expect(later.server.certificate).not.toBe(first.server.certificate);
    const validTo = Date.parse(new X509Certificate(later.server.certificate).validTo);
    expect(validTo).toBeGreaterThan(Date.now() + 600 * DAY_MS);
  });

  test('renews root and server certificate when the root is about to expire', async () => {
    const first = await openAuthority({ directory });
    const later = await openAuthority({ directory, now: () => Date.now() + 3640 * DAY_MS });

    expect(later.root).not.toBe(first.root);
    const server = new X509Certificate(later.server.certificate);
    expect(server.verify(new X509Certificate(later.root).publicKey)).toBe(true);
  });

  test.each(['root.pem', 'root.key', 'server.pem', 'server.key'])('replaces a damaged %s', async (file) => {
    await openAuthority({ directory });
    writeFileSync(join(directory, file), 'not PEM');

    const repaired = await openAuthority({ directory });

    const server = new X509Certificate(repaired.server.certificate);
    expect(server.verify(new X509Certificate(repaired.root).publicKey)).toBe(true);
    expect(readFileSync(join(directory, file), 'utf8')).toContain('-----BEGIN');
  });

  test('puts the registration id into the common name only', async () => {
    const authority = await openAuthority();
    const issued = await authority.issueDevice('dev-1, O=evil');

    expect(new X509Certificate(issued.certificate).subject).toBe('CN=dev-1\\, O=evil');
  });

  test('issues device certificates that a TLS server accepts through an intermediate', async () => {
    const authority = await openAuthority();
    const intermediate = await authority.issueIntermediate('plant 7');
    const device = await authority.issueDevice('dev-1', { through: intermediate, days: 10 });
    const accepted: { authorized: boolean; subject: string | undefined }[] = [];
    const server = createServer(
      {
        cert: authority.server.certificate,
        key: authority.server.key,
        ca: authority.root,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (socket: TLSSocket) => {
        accepted.push({ authorized: socket.authorized, subject: socket.getPeerX509Certificate()?.subject });
        socket.end();
      },
    );
    const port = await listen(server, 0, 'the test');

    await new Promise<void>((resolve, reject) => {
      const socket = connect(
        {
          port,
          host: '127.0.0.1',
          servername: 'contoso-weu.azure-devices.net',
          ca: authority.root,
          cert: device.certificate,
          key: device.key,
        },
        () => socket.resume(),
      );
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
    await new Promise((resolve) => server.close(resolve));

    expect(accepted).toEqual([{ authorized: true, subject: 'CN=dev-1' }]);
    const days = (Date.parse(new X509Certificate(device.certificate).validTo) - Date.now()) / DAY_MS;
    expect(Math.round(days)).toBe(10);
  });
});
