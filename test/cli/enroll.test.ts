import { existsSync, linkSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { listen as listenOn } from '../../local/listen.ts';
import { systemTime } from '../../src/time/epoch-ms.ts';
import { type LocalDps, startLocalDps } from '../local/dps/local-dps.ts';
import { testKey, WEU } from '../local/iot-hub/local-hubs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, type Flags, flags, listen } from './terminals.ts';

const OLD_KEY = 'the-old-function-key';
const NEW_KEY = 'the-new-function-key';
const LAB_KEYS = [testKey(1), testKey(2)] as const;
const FLEET_KEYS = [testKey(3), testKey(4)] as const;
const ENDORSEMENT_KEY = Buffer.from('the endorsement key of a TPM').toString('base64');
const SECRETS = [OLD_KEY, NEW_KEY, ...LAB_KEYS, ...FLEET_KEYS, ENDORSEMENT_KEY];

/** Berth's webhook as far as DPS and `rotate-key` see it: a key, a refusal of what is no request, a hub. */
async function startWebhook() {
  const keys = new Set<string>([OLD_KEY]);
  const seen: (string | null)[] = [];
  const server = createServer(async (incoming, response) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const code = new URL(incoming.url ?? '/', 'http://x').searchParams.get('code');
    const say = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
    if (!keys.has(code ?? '')) return say(401, '');
    if (text === '{}') return say(400, { error: { code: 'BERTH_REQUEST_INVALID' } });
    seen.push(code);
    return say(200, { iotHubHostName: WEU });
  });
  const port = await listenOn(server, 0, 'the webhook');
  return {
    url: `http://127.0.0.1:${port}/api/allocate`,
    keys,
    /** With which key DPS asked. */
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Runs `work` while calls to the local DPS go through a proxy. It passes them on, unless `before` answers with a status. */
async function withProxy<T>(
  before: (method: string, url: string) => Promise<number | undefined>,
  work: () => Promise<T>,
): Promise<T> {
  const target = String(env.IOT_ENDPOINT);
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/' } = incoming;
    const status = await before(method, url);
    if (status !== undefined) {
      outgoing.writeHead(status).end('{}');
      return;
    }
    const { 'content-length': _, connection: _c, ...headers } = incoming.headers;
    const answer = await request(`${target}${url}`, {
      method: method as 'GET',
      headers: headers as Record<string, string>,
      body: chunks.length === 0 ? null : Buffer.concat(chunks),
    });
    outgoing.writeHead(answer.statusCode).end(await answer.body.text());
  });
  env.IOT_ENDPOINT = `http://127.0.0.1:${await listenOn(server, 0, 'the proxy')}`;
  try {
    return await work();
  } finally {
    env.IOT_ENDPOINT = target;
    server.closeAllConnections();
    server.close();
  }
}

let local: LocalDps;
let webhook: Awaited<ReturnType<typeof startWebhook>>;
let folder: string;
let env: Record<string, string>;
let spoken: string;
beforeEach(async () => {
  webhook = await startWebhook();
  local = await startLocalDps([]);
  folder = temporaryFolder('enroll');
  env = {
    IOT_ENDPOINT: `http://127.0.0.1:${local.ports.rest}`,
    BERTH_WEBHOOK_KEY: OLD_KEY,
    FLEET_KEY: FLEET_KEYS[0],
    FLEET_KEY_2: FLEET_KEYS[1],
    TPM_KEY: ENDORSEMENT_KEY,
  };
  spoken = '';
});
afterEach(async () => {
  await local.close();
  webhook.close();
  for (const secret of SECRETS) expect(spoken).not.toContain(secret);
});

const group = (id: string, terms: object = {}) => ({ id, attestation: { type: 'symmetricKey' }, ...terms });
const individual = (registrationId: string, terms: object = {}) => ({
  registrationId,
  attestation: { type: 'symmetricKey' },
  ...terms,
});
function write(file: object): string {
  const path = join(folder, 'enrollments.json');
  writeFileSync(path, JSON.stringify({ webhook: { url: webhook.url }, ...file }));
  return path;
}
async function enroll(command: readonly string[], options: Flags) {
  const said = listen(env, systemTime);
  try {
    expect(await berth(said.cli, 'enroll', ...command, ...flags(options))).toBe(0);
  } catch (error) {
    spoken += `${String(error)} ${JSON.stringify(error)}`;
    throw error;
  } finally {
    spoken += said.out() + said.err();
  }
  return { out: said.out(), err: said.err() };
}
const plan = (file: object) => enroll(['plan'], { file: write(file) });
const apply = (file: object, more: Flags = {}) => enroll(['apply'], { file: write(file), ...more });
const progressFile = () => join(folder, 'rotation.json');
const rotate = (more: Flags = {}) =>
  enroll(['rotate-key'], {
    newKeyEnv: 'NEW_KEY',
    file: join(folder, 'enrollments.json'),
    progress: progressFile(),
    ...more,
  });
const service = () => local.service();
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into at every depth
const body = async (call: Promise<unknown>) => ((await call) as { responseBody?: any }).responseBody;

describe('berth enroll apply', () => {
  test('creates enrollments through which devices register with the webhook', async () => {
    await apply({
      groups: [
        group('fleet', {
          attestation: { type: 'symmetricKey', primaryKeyFrom: 'FLEET_KEY', secondaryKeyFrom: 'FLEET_KEY_2' },
        }),
      ],
      individuals: [
        individual('lab-1', {
          deviceId: 'Lab-One',
          attestation: {
            type: 'symmetricKey',
            derivedFrom: 'FLEET_KEY',
            secondaryDerivedFrom: 'FLEET_KEY_2',
          },
          initialTwin: { tags: { site: 'lab' } },
        }),
      ],
    });
    const { deriveDeviceKey } = await import('../../local/dps/index.ts');

    const fleet = await local.register('dev-1', { key: deriveDeviceKey(FLEET_KEYS[0], 'dev-1') });
    const lab = await local.register('lab-1', { key: deriveDeviceKey(FLEET_KEYS[0], 'lab-1'), over: 'mqtt' });

    expect(fleet).toMatchObject({ assignedHub: WEU, symmetricKey: { enrollmentGroupId: 'fleet' } });
    expect(lab).toMatchObject({ assignedHub: WEU, deviceId: 'Lab-One' });
    expect(webhook.seen).toEqual([OLD_KEY, OLD_KEY]);
    expect(local.hubs.view(WEU)?.twin('Lab-One')).toMatchObject({ tags: { site: 'lab' } });
  });

  test('updates only enrollments that differ, and a second run writes nothing', async () => {
    const before = { groups: [group('a'), group('b', { enabled: false })], individuals: [individual('x')] };
    await apply(before);
    const [a, b] = [
      await body(service().getEnrollmentGroup('a')),
      await body(service().getEnrollmentGroup('b')),
    ];
    const keys = await body(service().getEnrollmentGroupAttestationMechanism('b'));
    const after = { ...before, groups: [group('a'), group('b', { reprovisioning: 'never' })] };

    const planned = await plan(after);
    const applied = await apply(after);

    expect(planned.out).toContain('update       group b\n');
    expect(planned.out).toContain('enabled: false -> true\n');
    expect(planned.out).toContain('reprovisioning: migrate -> never\n');
    expect(planned.out).toContain('0 to create, 1 to update, 2 unchanged, 0 only in DPS.');
    expect(applied.out).toContain('updated   group b\n');
    expect((await body(service().getEnrollmentGroup('a'))).etag).toBe(a.etag);
    expect((await body(service().getEnrollmentGroup('b'))).etag).not.toBe(b.etag);
    // The keys that DPS made are the devices' keys.
    expect(await body(service().getEnrollmentGroupAttestationMechanism('b'))).toEqual(keys);
    expect((await apply(after)).err).toContain('0 enrollments written.');
  });

  test('updates an enrollment whose key differs from the key that the file names', async () => {
    const file = (primaryKeyFrom: string) => ({
      groups: [
        group('fleet', {
          attestation: { type: 'symmetricKey', primaryKeyFrom, secondaryKeyFrom: 'FLEET_KEY_2' },
        }),
      ],
    });
    await apply(file('FLEET_KEY'));
    env.OTHER_KEY = LAB_KEYS[0];

    const { out } = await apply(file('OTHER_KEY'));

    expect(out).toContain('attestation.primaryKey: another key -> the key that the file names');
    expect(
      (await body(service().getEnrollmentGroupAttestationMechanism('fleet'))).symmetricKey.primaryKey,
    ).toBe(LAB_KEYS[0]);
  });

  test('enrolls a device with a TPM, and devices with certificates from files', async () => {
    const authority = local.authority;
    writeFileSync(join(folder, 'root.pem'), authority.root);
    const device = await authority.issueDevice('cert-1');
    writeFileSync(join(folder, 'cert-1.pem'), device.certificate);
    const file = {
      groups: [group('x', { attestation: { type: 'x509', signingCertificates: { primary: 'root.pem' } } })],
      individuals: [
        individual('cert-1', {
          attestation: { type: 'x509', clientCertificates: { primary: 'cert-1.pem' } },
        }),
        individual('tpm-1', { attestation: { type: 'tpm', endorsementKeyFrom: 'TPM_KEY' } }),
      ],
    };
    await apply(file);

    expect((await plan(file)).out).toContain('0 to create, 0 to update, 3 unchanged');
    expect(await local.register('cert-1', { certificate: device })).toMatchObject({ assignedHub: WEU });
    const other = await authority.issueDevice('cert-2');
    expect(await local.register('cert-2', { certificate: other })).toMatchObject({
      x509: { enrollmentGroupId: 'x' },
    });
  });

  test('keeps enrollments that only DPS has, and deletes them with --prune --yes', async () => {
    await apply({ groups: [group('old'), group('kept')] });
    const file = { groups: [group('kept')] };

    const left = await apply(file);
    await expect(apply(file, { prune: true })).rejects.toMatchObject({ code: 'BERTH_ARGUMENT_INVALID' });
    expect(await body(service().getEnrollmentGroup('old'))).toMatchObject({ enrollmentGroupId: 'old' });
    const pruned = await apply(file, { prune: true, yes: true });

    expect(left.out).toContain('only in DPS  group old\n');
    expect(left.err).toContain('1 enrollment only in DPS: unchanged');
    expect(pruned.out).toContain('deleted   group old\n');
    await expect(service().getEnrollmentGroup('old')).rejects.toThrow();
  });

  test('writes nothing with --dry-run', async () => {
    const { out } = await apply({ groups: [group('fleet')] }, { dryRun: true });

    expect(out).toContain('create       group fleet\n');
    await expect(service().getEnrollmentGroup('fleet')).rejects.toThrow();
  });

  test('writes nothing where the function key is missing', async () => {
    delete env.BERTH_WEBHOOK_KEY;

    await expect(
      apply({ groups: [group('plain', { allocationPolicy: 'hashed' }), group('fleet')] }),
    ).rejects.toMatchObject({ code: 'BERTH_SETTING_INVALID' });
    await expect(service().getEnrollmentGroup('plain')).rejects.toThrow();
  });

  test('names every key and certificate that is missing', async () => {
    env.SHORT = 'c2hvcnQ=';
    writeFileSync(join(folder, 'secret.key'), '-----BEGIN PRIVATE KEY-----\nx');

    await expect(
      apply({
        groups: [
          group('a', {
            attestation: { type: 'symmetricKey', primaryKeyFrom: 'NOWHERE', secondaryKeyFrom: 'SHORT' },
          }),
          group('b', {
            attestation: {
              type: 'x509',
              signingCertificates: { primary: 'none.pem', secondary: 'secret.key' },
            },
          }),
        ],
      }),
    ).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_INVALID',
      details: [
        {
          path: 'groups[0].attestation.primaryKeyFrom',
          message: 'names NOWHERE, which is not set: set it to the key',
        },
        { path: 'groups[0].attestation.secondaryKeyFrom', message: expect.stringMatching(/16 to 64 bytes/) },
        {
          path: 'groups[1].attestation.signingCertificates.primary',
          message: expect.stringMatching(/cannot be read/),
        },
        {
          path: 'groups[1].attestation.signingCertificates.secondary',
          message: expect.stringMatching(/private key/),
        },
      ],
    });
  });

  test('continues after an enrollment that DPS refuses, and reports it at the end', async () => {
    const file = {
      groups: [
        group('bad', { attestation: { type: 'x509', caReferences: { primary: 'unknown-ca' } } }),
        group('good'),
      ],
    };

    await expect(apply(file)).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_UNFINISHED',
      details: [
        {
          path: 'group bad',
          message: expect.stringContaining('The CA certificate unknown-ca does not exist or is not verified'),
        },
      ],
    });
    expect(await body(service().getEnrollmentGroup('good'))).toMatchObject({ enrollmentGroupId: 'good' });
  });
});

describe('berth enroll apply, while another writer changes the same enrollment', () => {
  test('reports the other change and plans again', async () => {
    await apply({ groups: [group('fleet', { enabled: false })] });
    let isDone = false;
    const changeOnce = async (method: string) => {
      if (method !== 'PUT' || isDone) return undefined;
      isDone = true;
      const now = await body(service().getEnrollmentGroup('fleet'));
      const attestation = await body(service().getEnrollmentGroupAttestationMechanism('fleet'));
      await service().createOrUpdateEnrollmentGroup({ ...now, attestation, capabilities: { iotEdge: true } });
      return undefined;
    };

    const { out, err } = await withProxy(changeOnce, () => apply({ groups: [group('fleet')] }));

    expect(err).toContain('group fleet was changed by another writer meanwhile (412).\nPlanning again.');
    expect(out).toContain('capabilities.iotEdge: true -> false\n');
    expect(await body(service().getEnrollmentGroup('fleet'))).toMatchObject({
      provisioningStatus: 'enabled',
      capabilities: { iotEdge: false },
    });
  });

  test('gives up after repeated conflicts and overwrites nothing of the other writer', async () => {
    await apply({ groups: [group('fleet', { enabled: false })] });
    const conflict = async (method: string) => (method === 'PUT' ? 412 : undefined);

    await expect(
      withProxy(conflict, () => apply({ groups: [group('fleet'), group('new')] })),
    ).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_UNFINISHED',
      message: expect.stringContaining('2 enrollments could not be written'),
    });
    expect(await body(service().getEnrollmentGroup('fleet'))).toMatchObject({
      provisioningStatus: 'disabled',
    });
  });
});

describe('berth enroll rotate-key', () => {
  beforeEach(async () => {
    env.NEW_KEY = NEW_KEY;
    await apply({
      groups: [
        group('fleet', {
          attestation: { type: 'symmetricKey', primaryKeyFrom: 'FLEET_KEY', secondaryKeyFrom: 'FLEET_KEY_2' },
        }),
      ],
      individuals: [individual('x'), individual('elsewhere', { allocationPolicy: 'hashed' })],
    });
  });

  /** DPS fails when the second enrollment, x, is written. */
  const stopHalfWay = () =>
    expect(
      withProxy(
        async (method, url) => (method === 'PUT' && url.includes('/enrollments/x') ? 503 : undefined),
        rotate,
      ),
    ).rejects.toMatchObject({ code: 'BERTH_DPS_UNAVAILABLE' });

  test('tests the new key, writes it to every enrollment of the webhook, checks them again, and only then releases the old key', async () => {
    webhook.keys.add(NEW_KEY);
    const elsewhere = await body(service().getIndividualEnrollment('elsewhere'));

    const { out, err } = await rotate({ oldKeyName: 'default' });

    expect(err).toContain(`${webhook.url} accepts the new key.`);
    expect(out).toMatch(
      /^updated {6}group fleet\nupdated {6}individual x\n2 enrollments of .* checked: all have the new key\. .*\nYou can delete the old key now/,
    );
    expect(out).toContain('--key-name default');
    expect(await body(service().getIndividualEnrollment('elsewhere'))).toEqual(elsewhere);
    webhook.keys.delete(OLD_KEY);
    const { deriveDeviceKey } = await import('../../local/dps/index.ts');
    await local.register('dev-1', { key: deriveDeviceKey(FLEET_KEYS[0], 'dev-1') });
    expect(webhook.seen).toEqual([NEW_KEY]);
  });

  test('changes nothing where the webhook refuses the new key', async () => {
    const before = await body(service().getEnrollmentGroup('fleet'));

    await expect(rotate()).rejects.toMatchObject({
      code: 'BERTH_WEBHOOK_KEY_REFUSED',
      message: `${webhook.url} refuses the key with 401: check that the key is a function key of this app.`,
    });
    expect(await body(service().getEnrollmentGroup('fleet'))).toEqual(before);
  });

  test('changes nothing where the webhook cannot be reached or another server answers', async () => {
    const { url } = { url: `http://127.0.0.1:${local.ports.rest}/api/allocate` };

    await expect(rotate({ webhook: url })).rejects.toMatchObject({ code: 'BERTH_WEBHOOK_UNREACHABLE' });
    await expect(rotate({ webhook: 'http://127.0.0.1:9/api/allocate' })).rejects.toMatchObject({
      code: 'BERTH_WEBHOOK_UNREACHABLE',
    });
  });

  test('resumes a rotation that stopped half-way, and says what was done before', async () => {
    webhook.keys.add(NEW_KEY);
    await stopHalfWay();
    expect(spoken).toContain('1 of 2 are done. Keep the old key');

    const { out, err } = await rotate();

    expect(err).toContain('Continuing the rotation that started at');
    expect(out).toMatch(/^done before {2}group fleet\nupdated {6}individual x\n2 enrollments/);
  });

  test.each([1, undefined])('continues a rotation from a progress file of format %s', async (format) => {
    webhook.keys.add(NEW_KEY);
    await stopHalfWay();
    const { format: written, ...progress } = JSON.parse(readFileSync(progressFile(), 'utf8'));
    expect(written).toBe(1);
    writeFileSync(progressFile(), JSON.stringify({ ...progress, format }));

    const { out } = await rotate();

    expect(out).toMatch(/^done before {2}group fleet\nupdated {6}individual x\n2 enrollments/);
  });

  test('changes nothing if a newer package has written the progress file', async () => {
    webhook.keys.add(NEW_KEY);
    const before = await body(service().getEnrollmentGroup('fleet'));
    const text = '{"format":2,"how":"unknown"}';
    writeFileSync(progressFile(), text);

    await expect(rotate()).rejects.toMatchObject({
      code: 'BERTH_FORMAT_NEWER',
      message: expect.stringMatching(/^The progress of the rotation of .*rotation\.json has format 2/),
    });

    expect(readFileSync(progressFile(), 'utf8')).toBe(text);
    expect(await body(service().getEnrollmentGroup('fleet'))).toEqual(before);
  });

  test.each([
    ['JSON of another program', '{"name":"my-app","version":"1.0.0"}'],
    ['a list', '[]'],
    ['a text that is not JSON', 'BERTH_DPS=secret'],
    ['a damaged progress file', '{"format":1,"dps":"x"}'],
  ])('calls nothing, and keeps the file, if the progress file contains %s', async (_, text) => {
    webhook.keys.add(NEW_KEY);
    const before = await body(service().getEnrollmentGroup('fleet'));
    writeFileSync(progressFile(), text);

    await expect(rotate()).rejects.toMatchObject({
      code: 'BERTH_ARGUMENT_INVALID',
      message: expect.stringContaining('rotation.json, which is not a progress file of a rotation'),
    });

    expect(spoken).not.toContain('accepts the new key');
    expect(readFileSync(progressFile(), 'utf8')).toBe(text);
    expect(await body(service().getEnrollmentGroup('fleet'))).toEqual(before);
  });

  test('starts a rotation with an empty progress file', async () => {
    webhook.keys.add(NEW_KEY);
    writeFileSync(progressFile(), '');

    expect((await rotate()).out).toMatch(/^updated {6}group fleet\nupdated {6}individual x\n2 enrollments/);
    expect(existsSync(progressFile())).toBe(false);
  });

  test('never writes into the progress file, so that a run that is killed leaves the last whole file', async () => {
    webhook.keys.add(NEW_KEY);
    writeFileSync(progressFile(), '');
    // This name keeps showing the file that was there at the start.
    linkSync(progressFile(), `${progressFile()}.linked`);

    await stopHalfWay();

    expect(readFileSync(`${progressFile()}.linked`, 'utf8')).toBe('');
    expect(Object.keys(JSON.parse(readFileSync(progressFile(), 'utf8')).done)).toHaveLength(1);
    expect(statSync(progressFile()).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('names the progress file if it cannot be written', async () => {
    webhook.keys.add(NEW_KEY);
    const progress = join(folder, 'no-folder', 'rotation.json');

    await expect(rotate({ progress })).rejects.toMatchObject({
      code: 'BERTH_FILE_UNREADABLE',
      message: `${progress} cannot be written (ENOENT).`,
    });
  });

  test('replaces the progress file of another rotation, and says so', async () => {
    webhook.keys.add(NEW_KEY);
    writeFileSync(
      progressFile(),
      JSON.stringify({
        ...{ format: 1, dps: 'other', webhook: webhook.url, salt: 'c2FsdA==' },
        ...{ fingerprint: 'eA==', startedAt: '2026-11-01T00:00:00Z', done: {} },
      }),
    );

    expect((await rotate()).err).toContain('rotation.json belongs to another rotation.');
    expect(existsSync(progressFile())).toBe(false);
  });

  test('reports an enrollment as unverified if another writer changed it after it got the new key', async () => {
    webhook.keys.add(NEW_KEY);
    const takeBack = async (method: string, url: string) => {
      // When the last one is written, the first is taken back.
      if (method !== 'PUT' || !url.includes('/enrollments/x')) return undefined;
      const now = await body(service().getEnrollmentGroup('fleet'));
      const attestation = await body(service().getEnrollmentGroupAttestationMechanism('fleet'));
      await service().createOrUpdateEnrollmentGroup({ ...now, attestation });
      return undefined;
    };

    await expect(withProxy(takeBack, rotate)).rejects.toMatchObject({
      code: 'BERTH_ENROLLMENTS_UNFINISHED',
      message: expect.stringContaining(
        '1 enrollment changed during the rotation and may have the old key. Keep the old key',
      ),
    });
    expect(spoken).toContain('unverified   group fleet\n');
    expect(spoken).not.toContain('delete the old key');
    expect((await rotate()).out).toMatch(
      /^updated {6}group fleet\ndone before {2}individual x\n2 enrollments/,
    );
  });
});

describe('berth enroll --json, if a call fails half-way', () => {
  /** DPS fails at the second write. */
  const failing = async (...argv: readonly string[]) => {
    let puts = 0;
    const failSecond = async (method: string) => {
      puts += method === 'PUT' ? 1 : 0;
      return method === 'PUT' && puts === 2 ? 503 : undefined;
    };
    const said = listen(env, systemTime);
    const code = await withProxy(failSecond, () =>
      berth(said.cli, 'enroll', ...argv, '--json').catch(({ code: coded }) => coded),
    );
    spoken += said.out() + said.err();
    return { code, json: JSON.parse(said.out()), err: said.err() };
  };

  test('rotate-key prints what is done and that the old key must stay, next to the error', async () => {
    env.NEW_KEY = NEW_KEY;
    webhook.keys.add(NEW_KEY);
    await apply({ groups: [group('fleet')], individuals: [individual('x')] });
    const file = join(folder, 'enrollments.json');

    const { code, json, err } = await failing(
      ...['rotate-key', '--new-key-env', 'NEW_KEY', '--file', file, '--progress', progressFile()],
    );

    expect(code).toBe(1);
    expect(json).toMatchObject({
      error: { code: 'BERTH_DPS_UNAVAILABLE' },
      result: ['updated      group fleet', 'not updated  individual x'],
      messages: [
        expect.stringContaining('accepts the new key'),
        expect.stringContaining('1 of 2 are done. Keep the old key'),
      ],
    });
    expect(err).toContain('Keep the old key');
  });

  test('apply prints the enrollments that are written', async () => {
    const file = write({ groups: [group('a'), group('b')] });

    const { code, json, err } = await failing('apply', '--file', file);

    expect(code).toBe('BERTH_DPS_UNAVAILABLE');
    expect(json).toMatchObject({ done: [{ action: 'create', kind: 'group', id: 'a' }], refused: [] });
    expect(err).toContain('1 enrollment written before this error. Run the same command again to continue.');
  });
});

describe('berth enroll validate', () => {
  test('lists every problem of the file, and needs neither DPS nor keys', async () => {
    const [good, bad] = [listen({}), listen({})];
    const tpm = individual('x', { attestation: { type: 'tpm', endorsementKeyFrom: 'NOWHERE' } });

    expect(
      await berth(good.cli, 'enroll', 'validate', write({ groups: [group('a')], individuals: [tpm] })),
    ).toBe(0);
    expect(
      await berth(bad.cli, 'enroll', 'validate', write({ groups: [group('a'), group('A'), { id: 'b' }] })),
    ).toBe(1);

    expect(good.out()).toMatch(/is valid: 1 group, 1 individual enrollment\.\n$/);
    expect(bad.out()).toMatch(
      /^problem {2}groups\[2\]\.attestation is [^\n]*\nproblem {2}groups\[1\]\.id is "A"/,
    );
    expect(bad.out()).toMatch(/is not valid: 2 problems\.\n$/);
  });
});

describe('berth enroll certificate', () => {
  test('uploads and verifies a CA certificate with which devices register through a group that refers to it', async () => {
    const ca = await local.authority.issueIntermediate('Contoso CA');
    const file = join(folder, 'ca.pem');
    const proof = join(folder, 'proof.pem');
    writeFileSync(file, ca.certificate);
    const upload = () => enroll(['certificate', 'upload', 'contoso-ca'], { file });
    const verify = () => enroll(['certificate', 'verify', 'contoso-ca'], { file: proof });

    const { out } = await upload();
    const code = /-subj "\/CN=([0-9A-F]+)"/.exec(out)?.[1] ?? '';
    writeFileSync(proof, (await local.authority.issueDevice(code)).certificate);
    await expect(verify()).rejects.toMatchObject({ code: 'BERTH_DPS_REFUSED' }); // signed by another
    writeFileSync(proof, (await local.authority.issueDevice(code, { through: ca })).certificate);
    const verified = await verify();

    expect(verified.err).toContain('contoso-ca is verified');
    expect((await upload()).err).toContain('already uploaded and verified');
    await apply({
      groups: [group('ca', { attestation: { type: 'x509', caReferences: { primary: 'contoso-ca' } } })],
    });
    const device = await local.authority.issueDevice('dev-1', { through: ca });
    expect(await local.register('dev-1', { certificate: device })).toMatchObject({
      assignedHub: WEU,
      x509: { enrollmentGroupId: 'ca' },
    });
  });
});
