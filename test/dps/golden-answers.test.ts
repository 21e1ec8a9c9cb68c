import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { listen } from '../../local/listen.ts';
import { openCaCertificates } from '../../src/dps/ca-certificates.ts';
import { dpsPlace, managementPlace } from '../../src/dps/connection.ts';
import { openDps } from '../../src/dps/dps.ts';
import type { CaCertificates, DpsPort } from '../../src/dps/port.ts';
import { goldenAnswer } from '../support/arm/answers.ts';

let server: Server;
let answers: string[];
let certificates: CaCertificates;
let dps: DpsPort;
beforeEach(async () => {
  server = createServer((_, response) => {
    const { status, body } = goldenAnswer(answers.shift() ?? '');
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  const env = { IOT_ENDPOINT: `http://127.0.0.1:${await listen(server, 0, 'the answers')}` };
  [certificates, dps] = [openCaCertificates(managementPlace(env)), openDps(dpsPlace(env))];
});
afterEach(async () => {
  await Promise.all([certificates.close(), dps.close()]);
  server.closeAllConnections();
  server.close();
});

describe('the documented answers of DPS', () => {
  test('a CA certificate is read, gets a code from an answer without an ETag, and is verified', async () => {
    answers = ['certificate', 'certificate-code', 'certificate-verified'];

    const read = await certificates.get('cert');
    const code = await certificates.challenge('cert', read?.etag ?? '');
    const verified = await certificates.verify('cert', 'PEM', read?.etag ?? '');

    expect(read).toMatchObject({ isVerified: false, thumbprint: '97388663832D0393C9246CAB4FBA2C8677185A25' });
    expect(code).toBe('106A5SD242AF512B3498BD6098C4941E66R34H268DDB3288');
    expect(verified).toMatchObject({ isVerified: true, etag: 'AAAAAAExpTQ=' });
  });

  test('enrollment groups are listed with their ETags, and keys are asked for apart', async () => {
    answers = ['enrollment-groups', 'attestation-mechanism'];

    expect(await dps.list('group')).toMatchObject([
      { id: 'contoso-custom-allocated-devices', etag: '"13003fea-0000-0300-0000-62d1d5e50000"' },
    ]);
    expect(await dps.mechanism('group', 'fleet')).toMatchObject({ type: 'symmetricKey' });
  });

  test('a refusal is repeated with its number and its sentence', async () => {
    answers = ['dps-refusal'];

    await expect(dps.put('group', 'fleet', {}, undefined)).rejects.toMatchObject({
      code: 'BERTH_DPS_REFUSED',
      message: expect.stringContaining('400004 Custom allocation definition is missing'),
    });
  });
});
