import { describe, expect, test } from '@jest/globals';
import { readAgentManifest } from '../../../local/edge/manifest/agent-manifest.ts';
import { joinCreateOptions, splitCreateOptions } from '../../../local/edge/manifest/create-options.ts';

const RUNTIME = { type: 'docker', settings: { minDockerVersion: 'v1.25' } };
const SENSOR = {
  type: 'docker',
  status: 'running',
  settings: { image: 'mcr.microsoft.com/sensor', createOptions: '' },
};
const withModule = (module: object) => ({
  schemaVersion: '1.1',
  runtime: RUNTIME,
  modules: { sensor: module },
});

describe('the agent reads a manifest', () => {
  test('with its defaults: tag latest, restart policies, and the pull policy on-create', () => {
    const read = readAgentManifest({
      ...withModule(SENSOR),
      systemModules: {
        edgeAgent: { type: 'docker', settings: { image: 'agent:1.6' } },
        edgeHub: { type: 'docker', status: 'running', settings: { image: 'hub:1.6' } },
      },
    } as never);

    expect(read).toMatchObject({
      ok: true,
      manifest: {
        edgeAgent: { image: 'agent:1.6', restartPolicy: 'always' },
        modules: [
          { name: 'edgeHub', restartPolicy: 'always' },
          {
            name: 'sensor',
            image: 'mcr.microsoft.com/sensor:latest',
            createOptions: '{}',
            restartPolicy: 'on-unhealthy',
            imagePullPolicy: 'on-create',
          },
        ],
      },
    });
  });

  test('that has only a runtime', () => {
    expect(readAgentManifest({ schemaVersion: '1.1', runtime: RUNTIME })).toMatchObject({
      ok: true,
      manifest: { modules: [] },
    });
  });

  test.each(['1.0', '1.0.0', '1.1', '1.1.0'])('with schemaVersion %s', (schemaVersion) => {
    expect(readAgentManifest({ schemaVersion, runtime: RUNTIME })).toMatchObject({ ok: true });
  });

  test.each([
    ['nothing', {}, 417],
    ['schema 1.1.1', { schemaVersion: '1.1.1', runtime: RUNTIME }, 412],
    ['schema 1.2', { schemaVersion: '1.2', runtime: RUNTIME }, 412],
    ['schema 2.0', { schemaVersion: '2.0', runtime: RUNTIME }, 412],
    ['no schema version', { runtime: RUNTIME }, 400],
    ['a schema version that is no number', { schemaVersion: 'new', runtime: RUNTIME }, 400],
    ['no runtime', { schemaVersion: '1.1' }, 400],
    ['another runtime', { schemaVersion: '1.1', runtime: { ...RUNTIME, type: 'podman' } }, 400],
    ['a module without status', withModule({ ...SENSOR, status: undefined }), 400],
    ['a module without image', withModule({ ...SENSOR, settings: {} }), 400],
    ['an unknown restart policy', withModule({ ...SENSOR, restartPolicy: 'sometimes' }), 400],
    ['a negative startup order', withModule({ ...SENSOR, startupOrder: -1 }), 400],
    [
      'createOptions as an object',
      withModule({ ...SENSOR, settings: { image: 'a', createOptions: {} } }),
      400,
    ],
    [
      'createOptions that are no JSON',
      withModule({ ...SENSOR, settings: { image: 'a', createOptions: '{' } }),
      400,
    ],
    [
      'credentials with a space in the address',
      {
        schemaVersion: '1.1',
        runtime: {
          type: 'docker',
          settings: { registryCredentials: { a: { username: 'u', password: 'p', address: 'a b' } } },
        },
      },
      400,
    ],
    ['a module name with a dot', { schemaVersion: '1.1', runtime: RUNTIME, modules: { 'a.b': SENSOR } }, 400],
  ])('%s is refused with its code', (_name, desired, code) => {
    const json = JSON.parse(JSON.stringify(desired));
    expect(readAgentManifest(json)).toMatchObject({ ok: false, code });
  });
});

describe('createOptions', () => {
  test('are joined in the order of their chunks, whatever the case of their names', () => {
    const long = JSON.stringify({ Env: ['x'.repeat(6000)] });
    const chunks = splitCreateOptions(long);
    expect(Object.keys(chunks).slice(0, 3)).toEqual(['createOptions', 'createOptions01', 'createOptions02']);
    expect(joinCreateOptions(chunks)).toEqual({ ok: true, text: long });
    expect(joinCreateOptions({ image: 'a', CREATEOPTIONS01: '}', createoptions: '{' })).toEqual({
      ok: true,
      text: '{}',
    });
  });

  test.each([
    ['a gap', { createOptions: '{', createOptions02: '}' }],
    ['no first chunk', { createOptions01: '{}' }],
    [
      'ten chunks with one digit',
      Object.fromEntries(
        ['', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => [
          `createOptions${n}`,
          n === '' ? '{' : n === 10 ? '}' : ' ',
        ]),
      ),
    ],
  ])('%s is a problem', (_name, settings) => {
    expect(joinCreateOptions(settings)).toMatchObject({ ok: false });
  });
});
