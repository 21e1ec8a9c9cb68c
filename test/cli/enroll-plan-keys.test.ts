import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { listen as listenOn } from '../../local/listen.ts';
import { systemTime } from '../../src/time/epoch-ms.ts';
import { type LocalDps, startLocalDps } from '../local/dps/local-dps.ts';
import { testKey } from '../local/iot-hub/local-hubs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, type Flags, flags, listen } from './terminals.ts';

const KEYS: Readonly<Record<string, string>> = {
  FLEET_PRIMARY: testKey(1),
  FLEET_SECONDARY: testKey(2),
  TPM_KEY: Buffer.from('the endorsement key of a TPM').toString('base64'),
};

let local: LocalDps;
let endpoint: string;
let file: string;
let spoken: string;
let proxy: Server | undefined;
beforeEach(async () => {
  local = await startLocalDps([]);
  endpoint = `http://127.0.0.1:${local.ports.rest}`;
  file = join(temporaryFolder('enroll-plan-keys'), 'enrollments.json');
  spoken = '';
});
afterEach(async () => {
  for (const secret of Object.values(KEYS)) expect(spoken).not.toContain(secret);
  proxy?.closeAllConnections();
  proxy?.close();
  proxy = undefined;
  await local.close();
});

/** Runs `berth enroll` with these variables, and returns its exit code with what it wrote. */
async function enroll(command: string, env: Readonly<Record<string, string>>, options: Flags = {}) {
  const said = listen({ IOT_ENDPOINT: endpoint, ...env }, systemTime);
  try {
    const code = await berth(said.cli, 'enroll', command, ...flags({ file, ...options }));
    return { code, out: said.out(), err: said.err() };
  } catch (error) {
    spoken += `${String(error)} ${JSON.stringify(error)}`;
    throw error;
  } finally {
    spoken += said.out() + said.err();
  }
}

/** From now on, DPS answers with this status to each request for the keys of an enrollment. */
async function refuseKeys(status: number): Promise<void> {
  const target = endpoint;
  proxy = createServer(async (incoming, outgoing) => {
    const { method = 'GET', url = '/' } = incoming;
    const { 'content-length': _, connection: _c, ...headers } = incoming.headers;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    if (url.includes('/attestationmechanism')) {
      outgoing.writeHead(status).end('{}');
      return;
    }
    const answer = await request(`${target}${url}`, {
      method: method as 'GET',
      headers: headers as Record<string, string>,
      body: chunks.length === 0 ? null : Buffer.concat(chunks),
    });
    outgoing.writeHead(answer.statusCode).end(await answer.body.text());
  });
  endpoint = `http://127.0.0.1:${await listenOn(proxy, 0, 'the proxy')}`;
}

const FROM_VARIABLES = {
  type: 'symmetricKey',
  primaryKeyFrom: 'FLEET_PRIMARY',
  secondaryKeyFrom: 'FLEET_SECONDARY',
};
const DERIVED = {
  type: 'symmetricKey',
  derivedFrom: 'FLEET_PRIMARY',
  secondaryDerivedFrom: 'FLEET_SECONDARY',
};
const FILE = {
  groups: [{ id: 'fleet', attestation: FROM_VARIABLES, allocationPolicy: 'hashed' }],
  individuals: [
    { registrationId: 'lab-1', attestation: DERIVED, allocationPolicy: 'hashed' },
    {
      registrationId: 'tpm-1',
      attestation: { type: 'tpm', endorsementKeyFrom: 'TPM_KEY' },
      allocationPolicy: 'hashed',
    },
  ],
};
const write = (contents: object) => writeFileSync(file, JSON.stringify(contents));
const disabled = { ...FILE, groups: [{ ...FILE.groups[0], enabled: false }] };

describe('berth enroll plan where variables of keys are not set', () => {
  test('compares everything but these keys, and names the variables', async () => {
    write(FILE);
    await enroll('apply', KEYS);
    write(disabled);

    const { code, out, err } = await enroll('plan', {});

    expect(code).toBe(0);
    expect(out).toBe(
      [
        'update       group fleet',
        '               enabled: true -> false',
        '               attestation.primaryKey: not compared, because FLEET_PRIMARY is not set',
        '               attestation.secondaryKey: not compared, because FLEET_SECONDARY is not set',
        'unchanged    individual lab-1',
        '               attestation.primaryKey: not compared, because FLEET_PRIMARY is not set',
        '               attestation.secondaryKey: not compared, because FLEET_SECONDARY is not set',
        'unchanged    individual tpm-1',
        '               attestation.endorsementKey: not compared, because TPM_KEY is not set',
        '0 to create, 1 to update, 2 unchanged, 0 only in DPS.',
        '',
      ].join('\n'),
    );
    expect(err).toContain(
      'The keys of 3 enrollments are not known here. Everything else is compared. "berth enroll apply" needs the variables of the keys, and the right to read keys of DPS.\n',
    );
  });

  test('compares the key whose variable is set', async () => {
    write(FILE);
    await enroll('apply', KEYS);

    const { out } = await enroll('plan', { FLEET_PRIMARY: testKey(7) });

    expect(out).toContain(
      [
        'update       group fleet',
        '               attestation.primaryKey: another key -> the key that the file names',
        '               attestation.secondaryKey: not compared, because FLEET_SECONDARY is not set',
      ].join('\n'),
    );
  });

  test('shows a new enrollment as one to create, and says which keys apply needs', async () => {
    write(FILE);

    const { code, out } = await enroll('plan', {});

    expect(code).toBe(0);
    expect(out).toContain(
      [
        'create       individual tpm-1',
        '               tpm, hashed, migrate',
        '               attestation.endorsementKey: apply needs it, and TPM_KEY is not set',
      ].join('\n'),
    );
    expect(out).toContain('3 to create, 0 to update, 0 unchanged, 0 only in DPS.');
  });

  test('says only that the attestation differs where DPS has another kind', async () => {
    write({ groups: [{ ...FILE.groups[0], attestation: FROM_VARIABLES }], individuals: [] });
    await local.service().createOrUpdateEnrollmentGroup({
      enrollmentGroupId: 'fleet',
      attestation: {
        type: 'x509',
        x509: { signingCertificates: { primary: { certificate: local.authority.root } } },
      },
      allocationPolicy: 'hashed',
    } as never);

    const { out } = await enroll('plan', {});

    expect(out).toContain('attestation: x509 signingCertificates -> symmetricKey\n');
    expect(out).toContain('attestation.primaryKey: apply needs it, and FLEET_PRIMARY is not set\n');
    expect(out).not.toContain('not compared');
  });

  test('counts no key that is not compared as a change', async () => {
    write(FILE);
    await enroll('apply', KEYS);

    expect((await enroll('plan', {}, { failOnChanges: true })).code).toBe(0);
    write(disabled);
    expect((await enroll('plan', {}, { failOnChanges: true })).code).toBe(1);
  });

  test('names the keys that are not compared in its JSON', async () => {
    write(FILE);
    await enroll('apply', KEYS);

    const { out } = await enroll('plan', KEYS.TPM_KEY === undefined ? {} : { TPM_KEY: KEYS.TPM_KEY }, {
      json: true,
    });

    const unset = (variable: string) => `${variable} is not set`;
    expect(JSON.parse(out).steps).toEqual([
      {
        action: 'unchanged',
        kind: 'group',
        id: 'fleet',
        unknownKeys: [
          { field: 'attestation.primaryKey', why: unset('FLEET_PRIMARY') },
          { field: 'attestation.secondaryKey', why: unset('FLEET_SECONDARY') },
        ],
      },
      { action: 'unchanged', kind: 'individual', id: 'lab-1', unknownKeys: expect.any(Array) },
      { action: 'unchanged', kind: 'individual', id: 'tpm-1' },
    ]);
  });

  test('still refuses a key that is set and cannot be used, and a certificate that cannot be read', async () => {
    write({
      groups: [
        { id: 'a', attestation: FROM_VARIABLES, allocationPolicy: 'hashed' },
        {
          id: 'b',
          attestation: { type: 'x509', signingCertificates: { primary: 'none.pem' } },
          allocationPolicy: 'hashed',
        },
      ],
    });

    await expect(enroll('plan', { FLEET_SECONDARY: 'c2hvcnQ=' })).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_INVALID',
      details: [
        { path: 'groups[0].attestation.secondaryKeyFrom' },
        { path: 'groups[1].attestation.signingCertificates.primary' },
      ],
    });
  });

  test('lets apply write nothing, and name each variable', async () => {
    write(FILE);
    await enroll('apply', KEYS);
    write({
      ...disabled,
      groups: [...disabled.groups, { id: 'new', attestation: { type: 'symmetricKey' } }],
    });
    const before = (await local.service().getEnrollmentGroup('fleet')).responseBody;

    await expect(
      enroll('apply', { BERTH_WEBHOOK_KEY: 'x', FLEET_PRIMARY: KEYS.FLEET_PRIMARY ?? '' }),
    ).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_INVALID',
    });

    write(disabled);
    await expect(enroll('apply', {})).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_INVALID',
      details: [
        { message: 'names FLEET_PRIMARY, which is not set: set it to the key' },
        { message: 'names FLEET_SECONDARY, which is not set: set it to the key' },
        { message: 'names FLEET_PRIMARY, which is not set: set it to the key' },
        { message: 'names FLEET_SECONDARY, which is not set: set it to the key' },
        { message: 'names TPM_KEY, which is not set: set it to the key' },
      ],
    });
    expect((await local.service().getEnrollmentGroup('fleet')).responseBody).toEqual(before);
  });
});

describe('berth enroll plan where this identity may not read keys in DPS', () => {
  test.each([401, 403])('compares everything else (%s)', async (status) => {
    write(FILE);
    await enroll('apply', KEYS);
    write(disabled);
    await refuseKeys(status);

    const { code, out, err } = await enroll('plan', KEYS);

    expect(code).toBe(0);
    expect(out).toContain(
      [
        'update       group fleet',
        '               enabled: true -> false',
        '               attestation.primaryKey: not compared, because this sign-in may not read keys of DPS',
        '               attestation.secondaryKey: not compared, because this sign-in may not read keys of DPS',
        'unchanged    individual lab-1',
      ].join('\n'),
    );
    // DPS shows the endorsement key of a TPM with the enrollment.
    expect(out).toContain('unchanged    individual tpm-1\n0 to create, 1 to update');
    expect(err).toContain('The keys of 2 enrollments are not known here.');
  });

  test('fails if DPS cannot be reached for the keys', async () => {
    write(FILE);
    await enroll('apply', KEYS);
    await refuseKeys(500);

    await expect(enroll('plan', KEYS)).rejects.toMatchObject({ code: 'BERTH_DPS_UNAVAILABLE' });
  });

  test('lets apply write nothing', async () => {
    write(FILE);
    await enroll('apply', KEYS);
    write(disabled);
    const before = (await local.service().getEnrollmentGroup('fleet')).responseBody;
    await refuseKeys(403);

    await expect(enroll('apply', KEYS)).rejects.toMatchObject({ code: 'BERTH_DPS_UNAUTHORIZED' });
    expect((await local.service().getEnrollmentGroup('fleet')).responseBody).toEqual(before);
  });
});
