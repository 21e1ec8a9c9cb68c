import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { listen } from '../../../local/listen.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { buildHost, MASTER_KEY, runHost, startHost, writeApp, writeFile } from './host-process.ts';

let file: string;

beforeAll(async () => {
  file = await buildHost();
});

const HELLO = `
import { app } from '@azure/functions';
app.http('hello', { handler: () => ({ body: 'hello' }) });
`;

describe('a function app', () => {
  test('can be an ES module that imports the library from node_modules', async () => {
    const host = await startHost(file, await writeApp({ code: HELLO, esm: true }));

    const response = await fetch(`${host.url}/api/hello`);
    await host.stop();

    expect(await response.text()).toBe('hello');
  });

  test('can have several entry files, loaded in the order in which "main" names them', async () => {
    const directory = await writeApp({ code: HELLO });
    writeFile(directory, 'package.json', JSON.stringify({ main: '{second.cjs,first.cjs,dist/*.cjs}' }));
    for (const name of ['first', 'second'])
      writeFile(directory, `${name}.cjs`, `console.log('loaded ${name}');`);
    const host = await startHost(file, directory);
    await host.stop();

    expect(host.output()).toMatch(/loaded second\nloaded first\n/);
    expect(host.functions).toHaveLength(1);
  });

  test('can have no route prefix', async () => {
    const host = await startHost(
      file,
      await writeApp({ code: HELLO, host: { extensions: { http: { routePrefix: '' } } } }),
    );

    const response = await fetch(`${host.url}/hello`);
    await host.stop();

    expect(await response.text()).toBe('hello');
  });

  test('gets a list of the options in host.json that have no effect here', async () => {
    const eventHubs = { maxEventBatchSize: 10, minEventBatchSize: 5, maxWaitTime: '00:00:05' };
    const host = await startHost(file, await writeApp({ code: HELLO, host: { extensions: { eventHubs } } }));
    await host.stop();

    expect(host.output()).toMatch(
      /host\.json: extensions\.eventHubs\.minEventBatchSize, maxWaitTime has no effect/,
    );
  });

  test('gets the real request as a stream and can stream its answer', async () => {
    const code = `
      import { app } from '@azure/functions';
      import { Readable } from 'node:stream';
      app.setup({ enableHttpStream: true });
      app.http('upper', { methods: ['POST'], route: 'upper/{name}', handler: async (request) => {
        const text = await request.text();
        return { status: 201, headers: { 'x-name': request.params.name, 'x-url': request.url }, body: Readable.from([text.toUpperCase(), '!']) };
      } });
      app.http('nothing', { handler: () => undefined });
      app.http('throwing', { handler: () => { throw new Error('no'); } });
    `;
    const host = await startHost(file, await writeApp({ code }));

    const answer = await fetch(`${host.url}/api/upper/bob?q=1`, {
      method: 'POST',
      body: 'chunk',
      duplex: 'half',
    });
    const text = await answer.text();
    const nothing = await fetch(`${host.url}/api/nothing`);
    const throwing = await fetch(`${host.url}/api/throwing`);
    await host.stop();

    expect([answer.status, text]).toEqual([201, 'CHUNK!']);
    expect(answer.headers.get('x-name')).toBe('bob');
    expect(answer.headers.get('x-url')).toBe(`${host.url}/api/upper/bob?q=1`);
    expect([nothing.status, throwing.status]).toEqual([500, 500]);
  });
});

describe('a failed start ends with code 1 and a message', () => {
  const bare = (name: string, content: string) => {
    const directory = temporaryFolder('function-host');
    writeFileSync(join(directory, name), content);
    return directory;
  };

  test.each([
    [
      'a directory that does not exist',
      () => '/nowhere/at/all',
      /^The app directory \/nowhere\/at\/all does not exist\.\n$/,
    ],
    [
      'a directory without a package.json',
      () => bare('x', ''),
      /^\S+package\.json is missing, or its "main" .*\.\n$/,
    ],
    [
      'a missing entry file',
      () => bare('package.json', '{"main":"dist/*.cjs"}'),
      /^No file in \S+ matches "main": "dist\/\*\.cjs"\. Build the app first\.\n$/,
    ],
    ['a broken host.json', () => bare('host.json', '{'), /^\S+host\.json is not valid: SyntaxError/],
    [
      'a wrong value in host.json',
      () => bare('host.json', '{"functionTimeout":"soon"}'),
      /^\S+host\.json is not valid: .*"soon" is not a time span, use hh:mm:ss/,
    ],
    [
      'encrypted settings',
      () => bare('local.settings.json', '{"IsEncrypted":true,"Values":{}}'),
      /^\S+local\.settings\.json is encrypted\. /,
    ],
  ])('%s ends the start with code 1 and a message', async (_, directory, sentence) => {
    const host = runHost(file, directory());

    expect(await host.ended).toBe(1);
    expect(host.output()).toMatch(sentence);
  });

  test('an entry file that throws ends the start with its stack', async () => {
    const directory = await writeApp({ code: "throw new Error('cannot load this');" });

    const host = runHost(file, directory);

    expect(await host.ended).toBe(1);
    expect(host.output()).toMatch(
      /^Loading \S+functions\.cjs failed: cannot load this\nError: cannot load this\n\s+at/,
    );
  });

  test('an appStart hook that throws ends the start', async () => {
    const code = "require('@azure/functions').app.hook.appStart(() => { throw new Error('not today'); });";
    const host = runHost(file, await writeApp({ code }));

    expect(await host.ended).toBe(1);
    expect(host.output()).toMatch(/^An appStart hook failed: not today\nError: not today\n\s+at/);
  });

  test('a port that is in use ends the start', async () => {
    const other = createServer();
    const port = await listen(other, 0, 'a test');

    const host = runHost(file, await writeApp({ code: HELLO }), {}, port);

    expect(await host.ended).toBe(1);
    expect(host.output()).toBe(`Port ${port} for the functions is in use by another program.\n`);
    other.close();
  });

  test('missing keys end the start', async () => {
    const host = runHost(file, await writeApp({ code: HELLO }), { FUNCTION_HOST_MASTER_KEY: '' });

    expect(await host.ended).toBe(1);
    expect(host.output()).toBe('The environment variable FUNCTION_HOST_MASTER_KEY must hold a key.\n');
  });
});

describe('the end of a function host', () => {
  const SLOW = `
    import { app } from '@azure/functions';
    app.http('slow', { handler: async (_, context) => {
      context.log('slow begins');
      await new Promise((done) => setTimeout(done, 300));
      return { body: 'slow' };
    } });
    app.http('stuck', { handler: (_, context) => { context.log('stuck begins'); return new Promise(() => {}); } });
    app.http('crash', { handler: () => { setTimeout(() => { throw new Error('nobody catches this'); }); return {}; } });
    app.hook.appTerminate(async () => { await new Promise((done) => setTimeout(done, 20)); console.log('appTerminate has run'); });
  `;

  test('SIGTERM lets running requests finish, runs hooks, and refuses new requests', async () => {
    const host = await startHost(file, await writeApp({ code: SLOW }));
    const answer = fetch(`${host.url}/api/slow`);
    await host.printed(/slow begins/);

    await host.stop();

    expect(await (await answer).text()).toBe('slow');
    await expect(fetch(`${host.url}/api/slow`)).rejects.toThrow();
    expect(host.output()).toMatch(/appTerminate has run/);
  });

  test('SIGTERM waits only a short time for a function that never ends', async () => {
    const host = await startHost(file, await writeApp({ code: SLOW }));
    const answer = fetch(`${host.url}/api/stuck`).catch(() => 'broken off');
    await host.printed(/stuck begins/);

    await host.stop();

    expect(await answer).toBe('broken off');
    expect(host.output()).toMatch(/appTerminate has run/);
  });

  test('the host ends when its parent dies', async () => {
    const directory = await writeApp({ code: SLOW });
    const parent = join(directory, 'parent.cjs');
    writeFileSync(
      parent,
      `const child = require('node:child_process').fork(${JSON.stringify(file)}, ['--app', ${JSON.stringify(directory)}, '--port', '0'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
       child.on('message', ({ port }) => process.send({ port, pid: child.pid }));`,
    );
    const keys = { FUNCTION_HOST_FUNCTION_KEY: 'f', FUNCTION_HOST_MASTER_KEY: MASTER_KEY };
    const child = fork(parent, { execArgv: [], env: { PATH: process.env.PATH, ...keys } });
    const [{ pid }] = (await once(child, 'message')) as [{ pid: number }];

    child.kill('SIGKILL');

    await eventually(
      () => isAlive(pid),
      (alive) => !alive,
    );
  });

  test('an uncaught exception is printed and ends the host with code 1', async () => {
    const host = await startHost(file, await writeApp({ code: SLOW }));

    await fetch(`${host.url}/api/crash`);

    expect(await host.ended).toBe(1);
    expect(host.output()).toMatch(/Uncaught exception: Error: nobody catches this\n\s+at /);
  });

  test('functionTimeout fails the request and ends the process, as in Azure', async () => {
    const host = await startHost(file, await writeApp({ code: SLOW, host: { functionTimeout: '00:00:01' } }));

    const response = await fetch(`${host.url}/api/stuck`);

    expect(response.status).toBe(500);
    expect(await host.ended).toBe(1);
    expect(host.output()).toMatch(/stuck ran longer than functionTimeout \(1000 ms\)/);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
