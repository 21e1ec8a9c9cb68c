import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { listen as listenOn } from '../../local/listen.ts';
import { systemTime } from '../../src/time/epoch-ms.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { berth, flags, listen } from './terminals.ts';

/** A Function App that accepts one key. It refuses requests that do not have the form of DPS. */
async function startApp(key: string) {
  const asked: string[] = [];
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    asked.push(body);
    const code = new URL(incoming.url ?? '/', 'http://x').searchParams.get('code');
    if (code !== key) return response.writeHead(401).end();
    return response.writeHead(400).end(JSON.stringify({ error: { code: 'BERTH_REQUEST_INVALID' } }));
  });
  const origin = `http://127.0.0.1:${await listenOn(server, 0, 'the app')}`;
  return {
    origin,
    url: `${origin}/api/allocate`,
    /** The bodies of all requests. */
    asked,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

let eu: Awaited<ReturnType<typeof startApp>>;
let us: Awaited<ReturnType<typeof startApp>>;
let env: Record<string, string>;
let folder: string;
beforeEach(async () => {
  [eu, us] = await Promise.all([startApp('k-eu'), startApp('k-us')]);
  env = { BERTH_WEBHOOK_KEY: 'k-eu', US_KEY: 'k-us' };
  folder = temporaryFolder('enroll-check');
});
afterEach(() => {
  eu.close();
  us.close();
});

const group = (id: string, webhook?: object) => ({ id, attestation: { type: 'symmetricKey' }, webhook });
async function enroll(command: string, file: object, more: Readonly<Record<string, true>> = {}) {
  const path = join(folder, 'enrollments.json');
  writeFileSync(path, JSON.stringify(file));
  const said = listen(env, systemTime);
  const failure = await berth(said.cli, 'enroll', command, ...flags({ file: path, ...more })).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { out: said.out(), err: said.err(), failure };
}
const twoStamps = () => ({
  webhook: { url: eu.url },
  groups: [group('eu'), group('us', { url: us.url, keyFrom: 'US_KEY', keyName: 'dps-2026' })],
});

describe('berth enroll check', () => {
  test('calls the app of each URL with the key of this URL, by a request that is refused', async () => {
    const { out, failure } = await enroll('check', twoStamps());

    expect(failure).toBeUndefined();
    expect(out).toBe(`accepted  ${eu.url}\naccepted  ${us.url}\n`);
    expect([eu.asked, us.asked]).toEqual([['{}'], ['{}']]);
  });

  test('says that it cannot see which key DPS has', async () => {
    expect((await enroll('check', twoStamps())).err).toContain('cannot see which key DPS has');
  });

  test('names each app behind a URL that does not accept the key of the URL', async () => {
    const { out, failure } = await enroll('check', {
      webhook: { url: eu.url, apps: [eu.origin, us.origin] },
      groups: [group('eu')],
    });

    expect(out).toContain(`accepted  ${eu.url}\n`);
    expect(failure).toMatchObject({
      code: 'BERTH_WEBHOOK_KEY_REFUSED',
      message: expect.stringMatching(/^1 address of 2 did not accept/),
      details: [{ path: us.url, message: expect.stringContaining('refuses the key with 401') }],
    });
  });

  test('continues with the other apps where one does not answer', async () => {
    const { out, failure } = await enroll('check', {
      webhook: { url: 'http://127.0.0.1:9/api/allocate', apps: ['http://127.0.0.1:9', eu.origin] },
      groups: [group('eu')],
    });

    expect(out).toContain(`accepted  ${eu.url}\n`);
    expect(failure).toMatchObject({ code: 'BERTH_WEBHOOK_UNREACHABLE' });
  });

  test('names the variable of a missing key, and calls no app', async () => {
    delete env.US_KEY;

    expect((await enroll('check', twoStamps())).failure).toMatchObject({
      code: 'BERTH_SETTING_INVALID',
      message: expect.stringContaining('US_KEY is not set'),
    });
    expect([eu.asked, us.asked]).toEqual([[], []]);
  });

  test('never shows a key, in JSON either', async () => {
    env.BERTH_WEBHOOK_KEY = 'k-wrong';
    for (const more of [{}, { json: true }] as const) {
      const { out, err, failure } = await enroll('check', twoStamps(), more);

      expect(`${out}${err}${String(failure)}${JSON.stringify(failure)}`).not.toMatch(/k-wrong|k-us/);
    }
  });
});

describe('berth enroll webhooks', () => {
  test('lists each URL once with its variable, the name of its key and its apps', async () => {
    const file = twoStamps();
    const { out } = await enroll('webhooks', { ...file, groups: [...file.groups, group('eu-2')] });

    expect(out).toBe(
      `${eu.url}\tBERTH_WEBHOOK_KEY\tberth\t${eu.origin}\n${us.url}\tUS_KEY\tdps-2026\t${us.origin}\n`,
    );
  });

  test('leaves out a webhook that no enrollment uses', async () => {
    const { out } = await enroll('webhooks', {
      webhook: { url: eu.url },
      groups: [group('us', { url: us.url }), { ...group('plain'), allocationPolicy: 'hashed' }],
    });

    expect(out).toBe(`${us.url}\tBERTH_WEBHOOK_KEY\tberth\t${us.origin}\n`);
  });
});

/** A DPS that has no enrollments and takes every one; `written` is the webhook URL of each, with its key. */
async function startDps() {
  const written: Record<string, string> = {};
  const server = createServer(async (incoming, response) => {
    let body = '';
    for await (const chunk of incoming) body += chunk;
    if (incoming.method !== 'PUT') return response.writeHead(200).end('[]');
    const record = JSON.parse(body);
    written[new URL(incoming.url ?? '/', 'http://x').pathname.split('/').at(-1) ?? ''] =
      record.customAllocationDefinition.webhookUrl;
    return response.writeHead(200).end(JSON.stringify({ ...record, etag: '"1"' }));
  });
  const port = await listenOn(server, 0, 'the DPS');
  return {
    endpoint: `http://127.0.0.1:${port}`,
    written,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('berth enroll apply, with the webhooks of several stamps', () => {
  test('writes the key of each URL, and no other, into the enrollments of the URL', async () => {
    const dps = await startDps();
    env.IOT_ENDPOINT = dps.endpoint;

    const { failure } = await enroll('apply', twoStamps());
    dps.close();

    expect(failure).toBeUndefined();
    expect(dps.written).toEqual({ eu: `${eu.url}?code=k-eu`, us: `${us.url}?code=k-us` });
  });

  test('writes nothing where the key of one URL is missing', async () => {
    const dps = await startDps();
    env.IOT_ENDPOINT = dps.endpoint;
    delete env.US_KEY;

    const { failure } = await enroll('apply', twoStamps());
    dps.close();

    expect(failure).toMatchObject({
      code: 'BERTH_SETTING_INVALID',
      message: expect.stringMatching(/^US_KEY is not set/),
    });
    expect(dps.written).toEqual({});
  });
});

describe('berth enroll plan --fail-on-changes', () => {
  test('ends with 1 where apply would write, and with 0 where it would not', async () => {
    const dps = await startDps();
    env.IOT_ENDPOINT = dps.endpoint;
    const path = join(folder, 'enrollments.json');
    const plan = async (file: object, more: Readonly<Record<string, true>>) => {
      writeFileSync(path, JSON.stringify(file));
      return berth(listen(env, systemTime).cli, 'enroll', 'plan', ...flags({ file: path, ...more }));
    };

    const codes = [
      await plan(twoStamps(), { failOnChanges: true }),
      await plan(twoStamps(), {}),
      await plan({}, { failOnChanges: true, json: true }),
    ];
    dps.close();

    expect(codes).toEqual([1, 0, 0]);
    expect(dps.written).toEqual({});
  });
});

describe('berth enroll rotate-key, with several apps behind one URL', () => {
  test('changes nothing where one of the apps does not accept the new key', async () => {
    const dps = await startDps();
    env.IOT_ENDPOINT = dps.endpoint;
    const path = join(folder, 'enrollments.json');
    const file = { webhook: { url: eu.url, apps: [eu.origin, us.origin] }, groups: [group('eu')] };
    writeFileSync(path, JSON.stringify(file));
    const { cli } = listen(env, systemTime);

    await expect(
      berth(cli, 'enroll', 'rotate-key', ...flags({ file: path, newKeyEnv: 'BERTH_WEBHOOK_KEY' })),
    ).rejects.toMatchObject({ code: 'BERTH_WEBHOOK_KEY_REFUSED', message: expect.stringContaining(us.url) });
    dps.close();
    expect(dps.written).toEqual({});
  });
});
