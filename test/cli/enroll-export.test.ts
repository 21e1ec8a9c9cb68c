import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exportEnrollments } from '../../src/enroll/export.ts';
import { parseEnrollments } from '../../src/enroll/parse.ts';
import { systemTime } from '../../src/time/epoch-ms.ts';
import { type LocalDps, startLocalDps, testAuthority } from '../local/dps/local-dps.ts';
import { WEU } from '../local/iot-hub/local-hubs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, listen } from './terminals.ts';

const ENDORSEMENT_KEY = Buffer.from('the endorsement key of a TPM').toString('base64');
const FUNCTION_KEY = 'the-function-key';

let local: LocalDps;
let folder: string;
let env: Record<string, string>;
beforeEach(async () => {
  local = await startLocalDps([]);
  folder = temporaryFolder('export');
  env = {
    IOT_ENDPOINT: `http://127.0.0.1:${local.ports.rest}`,
    BERTH_WEBHOOK_KEY: FUNCTION_KEY,
    US_KEY: `${FUNCTION_KEY}-us`,
    TPM_KEY: ENDORSEMENT_KEY,
  };
});
afterEach(() => local.close());

async function enroll(...args: readonly string[]) {
  const { cli, out, err } = listen(env, systemTime);
  const code = await berth(cli, 'enroll', ...args);
  return { code, out: out(), err: err() };
}

/** Makes enrollments of every kind, and returns their file. */
async function makeEnrollments(): Promise<object> {
  const { root } = await testAuthority();
  writeFileSync(join(folder, 'ca.pem'), root);
  const file = {
    webhook: { url: 'https://eu.azurewebsites.net/api/allocate', apiVersion: '2021-10-01' },
    groups: [
      { id: 'fleet', attestation: { type: 'symmetricKey' } },
      {
        id: 'plants',
        attestation: { type: 'symmetricKey' },
        iotHubs: [WEU],
        reprovisioning: 'reset',
        initialTwin: { tags: { site: 'unknown' }, desired: { interval: 5 } },
        capabilities: { iotEdge: true },
      },
      {
        id: 'us',
        attestation: { type: 'symmetricKey' },
        webhook: {
          url: 'https://us.azurewebsites.net/api/allocate',
          keyFrom: 'US_KEY',
          apiVersion: '2021-10-01',
        },
      },
      { id: 'signed', attestation: { type: 'x509', signingCertificates: { primary: 'ca.pem' } } },
      { id: 'plain', attestation: { type: 'symmetricKey' }, allocationPolicy: 'geoLatency', enabled: false },
    ],
    individuals: [
      {
        registrationId: 'lab-1',
        deviceId: 'Lab-One',
        attestation: { type: 'tpm', endorsementKeyFrom: 'TPM_KEY' },
        reprovisioning: 'never',
      },
    ],
  };
  writeFileSync(join(folder, 'made.json'), JSON.stringify(file));
  await enroll('apply', '--file', join(folder, 'made.json'));
  return file;
}

describe('berth enroll export', () => {
  test('writes a file that is valid, and of which the plan shows no difference', async () => {
    await makeEnrollments();
    const out = join(folder, 'enrollments.json');

    const { code, err } = await enroll('export', '--out', out);

    expect(code).toBe(0);
    expect(parseEnrollments(readFileSync(out, 'utf8'))).toMatchObject({ ok: true });
    // What the notes ask for.
    expect(err).toContain('needs its endorsement key in the environment variable TPM_LAB_1.');
    expect(err).toMatch(
      /group signed needs its certificate in certificates\/group-signed-primary\.pem \(SHA-256 \w{64}\)\./,
    );
    expect(err).toContain(
      'https://us.azurewebsites.net/api/allocate needs its function key in the environment variable BERTH_WEBHOOK_KEY_2.',
    );
    env.TPM_LAB_1 = ENDORSEMENT_KEY;
    env.BERTH_WEBHOOK_KEY_2 = env.US_KEY ?? '';
    const text = readFileSync(out, 'utf8').replace('certificates/group-signed-primary.pem', 'ca.pem');
    writeFileSync(out, text);
    expect((await enroll('plan', '--file', out)).out).toContain(
      '0 to create, 0 to update, 6 unchanged, 0 only in DPS.',
    );
  });

  test('prints the file without a key of a device, of a webhook or of a TPM', async () => {
    await makeEnrollments();

    const { out, err } = await enroll('export');

    expect(JSON.parse(out).groups).toContainEqual({ id: 'fleet', attestation: { type: 'symmetricKey' } });
    expect(out + err).not.toMatch(new RegExp(`${FUNCTION_KEY}|${ENDORSEMENT_KEY}|primaryKey"`));
  });

  test('overwrites no file', async () => {
    writeFileSync(join(folder, 'enrollments.json'), 'mine');

    await expect(enroll('export', '--out', join(folder, 'enrollments.json'))).rejects.toMatchObject({
      code: 'BERTH_FILE_UNREADABLE',
      message: expect.stringContaining('exists, and is not overwritten'),
    });
    expect(readFileSync(join(folder, 'enrollments.json'), 'utf8')).toBe('mine');
  });

  test('writes an empty file for a DPS without enrollments', async () => {
    expect(JSON.parse((await enroll('export')).out)).toEqual({ groups: [] });
  });
});

describe('records of others', () => {
  const record = (json: object) =>
    ({ kind: 'group', id: 'g', etag: 'e', json: { enrollmentGroupId: 'g', ...json } }) as never;

  test('a custom policy whose URL the file cannot have is left out, and named', () => {
    const { file, notes } = exportEnrollments([
      record({
        allocationPolicy: 'custom',
        attestation: { type: 'symmetricKey' },
        customAllocationDefinition: {
          webhookUrl: 'http://contoso.example/x?code=****',
          apiVersion: '2019-03-31',
        },
      }),
    ]);

    expect(file).toEqual({ groups: [] });
    expect(notes).toEqual([{ path: 'group g', message: expect.stringContaining('left out') }]);
  });

  test('a record as old tools make it, without policies and with one hub, is a valid entry', () => {
    const { file } = exportEnrollments([
      record({ attestation: { type: 'symmetricKey' }, allocationPolicy: 'static', iotHubHostName: WEU }),
    ]);

    expect(file).toEqual({
      groups: [
        { id: 'g', attestation: { type: 'symmetricKey' }, allocationPolicy: 'static', iotHubs: [WEU] },
      ],
    });
  });

  test('the API version of a webhook is kept', () => {
    const { file } = exportEnrollments([
      record({
        allocationPolicy: 'custom',
        attestation: { type: 'symmetricKey' },
        customAllocationDefinition: {
          webhookUrl: 'https://a.azurewebsites.net/api/x?****',
          apiVersion: '2019-03-31',
        },
      }),
    ]);

    expect(file.webhook).toEqual({ url: 'https://a.azurewebsites.net/api/x', apiVersion: '2019-03-31' });
  });
});
