import { describe, expect, test } from '@jest/globals';
import type { Edge } from '../../src/fleet/edge/edge.ts';
import { parseFleet } from '../../src/fleet/file/parse.ts';

const HUB = { host: 'weu.azure-devices.net', region: 'westeurope', tier: 'S1' };
const MODULE = { image: 'contoso.azurecr.io/sensor:1.0.3' };
const REGISTRY = {
  address: 'contoso.azurecr.io',
  username: 'setting:ACR_USER',
  password: 'setting:ACR_PASSWORD',
};

type Json = Readonly<Record<string, unknown>>;

const parse = (edge: unknown, twins: Json = {}) => parseFleet(JSON.stringify({ hubs: [HUB], twins, edge }));
const withDeployment = (deployment: Json, rest: Json = {}) => ({
  deployments: [{ name: 'sensor', ...deployment }],
  ...rest,
});
const withModule = (module: Json, name = 'tempSensor') =>
  withDeployment({ modules: { [name]: { ...MODULE, ...module } } });
const problemsOf = (edge: unknown, twins?: Json) => {
  const parsed = parse(edge, twins);
  return parsed.ok ? [] : parsed.problems.map(({ path, message }) => `${path} ${message}`);
};
const warningsOf = (edge: unknown) => {
  const parsed = parse(edge);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.warnings.map(({ path, message }) => `${path} ${message}`);
};
const edgeOf = (edge: unknown): Edge => {
  const parsed = parse(edge);
  if (!parsed.ok || parsed.fleet.edge === undefined) throw new Error(JSON.stringify(parsed));
  return parsed.fleet.edge;
};
const AT_MODULE = 'edge.deployments[0].modules.tempSensor';

describe('the part edge of a fleet file', () => {
  test('a file without edge leaves IoT Edge devices alone', () => {
    const parsed = parseFleet(JSON.stringify({ hubs: [HUB] }));

    expect(parsed).toMatchObject({ ok: true, fleet: { edge: undefined } });
  });

  test('the example of the documentation is valid and has no warnings', () => {
    const edge = {
      runtime: {
        edgeAgent: { image: 'mcr.microsoft.com/azureiotedge-agent:1.6' },
        edgeHub: { image: 'mcr.microsoft.com/azureiotedge-hub:1.6' },
      },
      registries: [REGISTRY],
      deployments: [
        {
          name: 'sensor',
          when: "tags.site == 'ams'",
          modules: {
            tempSensor: {
              image: 'mcr.microsoft.com/azureiotedge-simulated-temperature-sensor:1.6',
              desired: { SendInterval: 5 },
            },
          },
          routes: { toCloud: 'FROM /messages/* INTO $upstream' },
        },
      ],
    };

    expect(parse(edge)).toMatchObject({ ok: true, warnings: [] });
  });

  test('a module has the defaults of the portal', () => {
    expect(edgeOf(withModule({})).deployments[0]?.modules.get('tempSensor')).toMatchObject({
      status: 'running',
      restartPolicy: 'always',
      createOptions: '',
      env: [],
      desired: undefined,
    });
  });

  test('the content of a deployment does not include its rollout', () => {
    const plain = edgeOf(withDeployment({ modules: { tempSensor: MODULE } })).deployments[0];
    const staged = edgeOf(withDeployment({ modules: { tempSensor: MODULE }, rollout: { over: '1h' } }))
      .deployments[0];

    expect(staged?.hash).toBe(plain?.hash);
    expect(staged?.rollout).toBeDefined();
  });

  test('a deployment without a rollout has the one of twins.rollout', () => {
    const parsed = parse(withModule({}), { rollout: { over: '2h' } });

    expect(parsed).toMatchObject({
      ok: true,
      fleet: { edge: { deployments: [{ rollout: { stages: [{ overMs: 7_200_000 }] } }] } },
    });
  });
});

describe('what the runtime of IoT Edge or the hub would refuse', () => {
  test.each<[string, unknown, string]>([
    ['no deployments', { deployments: [] }, 'edge.deployments write at least one deployment'],
    ['a deployment that sets nothing', withDeployment({}), 'edge.deployments[0] sets nothing'],
    [
      'a module without an image',
      withDeployment({ modules: { tempSensor: {} } }),
      `${AT_MODULE}.image is missing`,
    ],
    ['an empty image', withModule({ image: '' }), `${AT_MODULE}.image is empty`],
    [
      'an image with a space',
      withModule({ image: 'contoso.azurecr.io/a b:1' }),
      `${AT_MODULE}.image has a space`,
    ],
    [
      'an image with a scheme',
      withModule({ image: 'https://contoso.azurecr.io/a:1' }),
      'write the registry without https://',
    ],
    ['an image with capitals', withModule({ image: 'contoso.azurecr.io/Sensor:1' }), 'so write sensor'],
    ['an image with a bad tag', withModule({ image: 'contoso.azurecr.io/sensor:-1' }), 'has the tag "-1"'],
    [
      'an image with a short digest',
      withModule({ image: 'contoso.azurecr.io/sensor@sha256:abc' }),
      'has the digest',
    ],
    [
      'an unknown status',
      withModule({ status: 'paused' }),
      `${AT_MODULE}.status is "paused": write one of running, stopped`,
    ],
    [
      'an unknown restart policy',
      withModule({ restartPolicy: 'sometimes' }),
      'write one of never, on-failure, on-unhealthy, always',
    ],
    ['an unknown pull policy', withModule({ imagePullPolicy: 'always' }), 'write one of on-create, never'],
    ['a negative startup order', withModule({ startupOrder: -1 }), `${AT_MODULE}.startupOrder is -1`],
    [
      'a startup order over 32 bits',
      withModule({ startupOrder: 4_294_967_296 }),
      'write a number of at most 4294967295',
    ],
    [
      'a startup order that is not whole',
      withModule({ startupOrder: 1.5 }),
      `${AT_MODULE}.startupOrder is 1.5`,
    ],
    ['a mistyped field', withModule({ restartpolicy: 'always' }), 'did you mean "restartPolicy"?'],
    ['the field type of a manifest', withModule({ type: 'docker' }), 'type is not a field here: remove it'],
    [
      'the field settings of a manifest',
      withModule({ settings: { image: 'a' } }),
      'write image and createOptions directly',
    ],
    ['a module name with a dot', withModule({}, 'temp.sensor'), 'write at most 128 letters, digits'],
    ['a module name with a space', withModule({}, 'temp sensor'), 'write at most 128 letters, digits'],
    ['a module name of 129 characters', withModule({}, 'm'.repeat(129)), 'write at most 128 letters, digits'],
    ['an empty module name', withModule({}, ''), 'write at most 128 letters, digits'],
    ['a system module as a module', withModule({}, '$edgeAgent'), 'write it as edge.runtime.edgeAgent'],
    [
      'a system module without its dollar sign',
      withModule({}, 'edgeHub'),
      'write it as edge.runtime.edgeHub',
    ],
    [
      'a variable name with a dot',
      withModule({ env: { 'a.b': '1' } }),
      'is not the name of an environment variable',
    ],
    [
      'a variable name with a plus',
      withModule({ env: { 'a+b': '1' } }),
      'is not the name of an environment variable',
    ],
    [
      'a variable name with a space',
      withModule({ env: { 'a b': '1' } }),
      'is not the name of an environment variable',
    ],
    [
      'a variable that is a list',
      withModule({ env: { A: ['1'] } }),
      `${AT_MODULE}.env.A is not valid (its value is not shown here)`,
    ],
    ['a variable that is null', withModule({ env: { A: null } }), 'write a text, a number, true or false'],
    [
      'a variable with a malformed setting',
      withModule({ env: { A: 'setting:my key' } }),
      'write setting:NAME',
    ],
    [
      'a variable with a malformed expression',
      withModule({ env: { A: '=tags.' } }),
      'is not a usable CEL expression',
    ],
    ['options as a list', withModule({ createOptions: [] }), 'write an object, or the JSON text of one'],
    ['options that are not JSON', withModule({ createOptions: '{' }), 'is not JSON'],
    ['options that are a JSON list', withModule({ createOptions: '[]' }), 'is JSON but not an object'],
    [
      'options with a host configuration as a text',
      withModule({ createOptions: { HostConfig: 'x' } }),
      'has HostConfig, which is not an object',
    ],
    [
      'options with binds as a text',
      withModule({ createOptions: { HostConfig: { Binds: '/a:/a' } } }),
      'has HostConfig.Binds, which is not a list of texts',
    ],
    [
      'options with a port that is not a list',
      withModule({ createOptions: { HostConfig: { PortBindings: { '80/tcp': { HostPort: '80' } } } } }),
      'write [{"HostPort": "80"}]',
    ],
    ['options in two forms', withModule({ createOptions: {}, createOptions01: 'x' }), 'follows an object'],
    ['a chunk without the first', withModule({ createOptions01: '{}' }), 'the first part has no number'],
    [
      'a gap between chunks',
      withModule({ createOptions: '{"a":', createOptions02: '1}' }),
      'write createOptions01 here',
    ],
    [
      'a chunk that is not a text',
      withModule({ createOptions: '{"a":', createOptions01: 1 }),
      'createOptions01 is not a text',
    ],
    [
      'ten chunks with one digit',
      withModule({
        createOptions: '{',
        ...Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`createOptions${index + 1}`, ' '])),
      }),
      'with two digits',
    ],
    ['desired properties as a list', withModule({ desired: [] }), `${AT_MODULE}.desired is []`],
    [
      'a desired property with a dollar sign',
      withModule({ desired: { $x: 1 } }),
      'has a control character, ".", "$" or a space',
    ],
    ['a desired text over 4 KB', withModule({ desired: { x: 'y'.repeat(4_097) } }), 'is a string over 4 KB'],
    [
      'desired properties over 32 KB',
      withModule({
        desired: Object.fromEntries(
          Array.from({ length: 9 }, (_, index) => [`p${index}`, 'y'.repeat(4_000)]),
        ),
      }),
      'IoT Hub allows 32768',
    ],
    [
      'a route that does not parse',
      withDeployment({ routes: { toCloud: 'FROM /messages/*' } }),
      'edge.deployments[0].routes.toCloud has no INTO',
    ],
    ['an empty route', withDeployment({ routes: { toCloud: '' } }), 'is empty'],
    [
      'a priority over 9',
      withDeployment({ routes: { toCloud: { route: 'FROM /* INTO $upstream', priority: 10 } } }),
      'routes.toCloud.priority is 10',
    ],
    [
      'a negative time to live',
      withDeployment({ routes: { toCloud: { route: 'FROM /* INTO $upstream', timeToLiveSecs: -1 } } }),
      'routes.toCloud.timeToLiveSecs is -1',
    ],
    [
      'a route name with a dot',
      withDeployment({ routes: { 'to.cloud': 'FROM /* INTO $upstream' } }),
      'is not the name of a route',
    ],
    [
      'a route name with a hash',
      withDeployment({ routes: { 'to#cloud': 'FROM /* INTO $upstream' } }),
      'is not the name of a route',
    ],
    [
      'an agent with a restart policy',
      withDeployment(
        { modules: { tempSensor: MODULE } },
        { runtime: { edgeAgent: { ...MODULE, restartPolicy: 'never' } } },
      ),
      'edge.runtime.edgeAgent.restartPolicy',
    ],
    [
      'a condition that does not parse',
      withDeployment({ when: 'tags.', routes: {} }),
      'edge.deployments[0].when',
    ],
    [
      'a registry with a scheme',
      withDeployment(
        { modules: { tempSensor: MODULE } },
        { registries: [{ ...REGISTRY, address: 'https://contoso.azurecr.io' }] },
      ),
      'without https://',
    ],
    [
      'a registry twice',
      withDeployment({ modules: { tempSensor: MODULE } }, { registries: [REGISTRY, REGISTRY] }),
      'edge.registries[1].address is "contoso.azurecr.io", which is listed twice',
    ],
    [
      'a registry without a password',
      withDeployment(
        { modules: { tempSensor: MODULE } },
        { registries: [{ address: 'a.io', username: 'setting:U' }] },
      ),
      'edge.registries[0].password is missing',
    ],
  ])('%s is refused with its path', (_, edge, problem) => {
    expect(problemsOf(edge).join('\n')).toContain(problem);
  });

  test('51 modules in one deployment are refused', () => {
    const modules = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`m${index}`, MODULE]));

    expect(problemsOf(withDeployment({ modules }))).toEqual([
      expect.stringMatching(/^edge\.deployments\[0\]\.modules has 51 modules; a device has at most 50/),
    ]);
  });

  test('51 modules in two deployments for all devices are refused', () => {
    const modules = (from: number, to: number) =>
      Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`m${from + index}`, MODULE]));
    const deployments = [
      { name: 'one', modules: modules(0, 30) },
      { name: 'two', modules: modules(30, 51) },
    ];

    expect(problemsOf({ deployments })).toEqual([
      expect.stringMatching(/^edge\.deployments gives a device 51 modules/),
    ]);
  });

  test('modules whose options do not fit into the twin are refused', () => {
    const createOptions = { Env: [`A=${'y'.repeat(7_000)}`] };
    const modules = Object.fromEntries(
      Array.from({ length: 5 }, (_, index) => [`m${index}`, { ...MODULE, createOptions }]),
    );

    expect(problemsOf(withDeployment({ modules }))).toEqual([
      expect.stringMatching(
        /^edge\.deployments\[0\] makes the desired properties of \$edgeAgent \d+ bytes large/,
      ),
    ]);
  });

  test('two deployments with one name are refused', () => {
    const deployment = { name: 'sensor', modules: { tempSensor: MODULE } };

    expect(problemsOf({ deployments: [deployment, deployment] })).toEqual([
      'edge.deployments[1].name is "sensor", which is already used: use another name',
    ]);
  });

  test('a deployment with the name of a policy is refused, because rollouts name both', () => {
    const policies = [{ name: 'sensor', desired: { interval: 5 } }];

    expect(problemsOf(withModule({}), { policies })).toEqual([
      expect.stringMatching(/^edge\.deployments\[0\]\.name is "sensor", which is the name of a policy/),
    ]);
  });

  test.each([
    ['the same path', { SendInterval: 5 }],
    ['a path below', { SendInterval: { value: 5 } }],
  ])('a deployment and a policy of its module cannot both own %s', (_, desired) => {
    const policies = [{ name: 'interval', target: 'module:tempSensor', desired: { SendInterval: 10 } }];

    expect(problemsOf(withModule({ desired }), { policies })).toEqual([
      expect.stringMatching(
        /modules\.tempSensor\.desired\.SendInterval.* is also set by the policy "interval"/,
      ),
    ]);
  });

  test('a policy may own another path of a module that a deployment sets', () => {
    const policies = [{ name: 'interval', target: 'module:tempSensor', desired: { SendInterval: 10 } }];

    expect(problemsOf(withModule({ desired: { SendData: true } }), { policies })).toEqual([]);
  });
});

describe('secrets in edge', () => {
  test.each([
    ['a literal password', { ...REGISTRY, password: 'Hunter2Hunter2' }],
    ['a literal user name', { ...REGISTRY, username: 'Hunter2Hunter2' }],
    ['a setting with a malformed name', { ...REGISTRY, password: 'setting:Hunter2Hunter2!' }],
    ['an expression', { ...REGISTRY, password: '=tags.Hunter2Hunter2' }],
    ['an object', { ...REGISTRY, password: { value: 'Hunter2Hunter2' } }],
    ['a list', { ...REGISTRY, password: ['Hunter2Hunter2'] }],
    ['an empty text', { ...REGISTRY, password: '' }],
  ])('%s as a credential is refused and never repeated', (_, registry) => {
    const problems = problemsOf(
      withDeployment({ modules: { tempSensor: MODULE } }, { registries: [registry] }),
    );

    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).toMatch(/^edge\.registries\[0\]\.(username|password) /);
    expect(problems.join('\n')).not.toContain('Hunter2');
  });

  test('a registry that is a text is refused and never repeated', () => {
    const problems = problemsOf(
      withDeployment(
        { modules: { tempSensor: MODULE } },
        { registries: ['user:Hunter2Hunter2@contoso.azurecr.io'] },
      ),
    );

    expect(problems).toHaveLength(1);
    expect(problems.join('\n')).not.toContain('Hunter2');
  });

  test.each([
    ['a variable of a wrong type', { env: { PASSWORD: ['Hunter2'] } }],
    ['a variable with a malformed setting', { env: { PASSWORD: 'setting:Hunter2!' } }],
    ['variables as a list', { env: ['PASSWORD=Hunter2'] }],
    ['options that are not JSON', { createOptions: '{"Env":["PASSWORD=Hunter2"' }],
    ['options of a wrong type', { createOptions: ['PASSWORD=Hunter2'] }],
    ['a chunk of a wrong type', { createOptions: '{', createOptions01: ['PASSWORD=Hunter2'] }],
    ['a variable in options', { createOptions: { Env: { PASSWORD: 'Hunter2' } } }],
  ])('%s is refused and never repeated', (_, module) => {
    const problems = problemsOf(withModule(module));

    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toContain('Hunter2');
  });

  test('a variable that looks like a secret has a warning that does not repeat it', () => {
    const warnings = warningsOf(
      withModule({ env: { DB_PASSWORD: 'Hunter2', ENDPOINT: 'a;SharedAccessKey=Hunter2' } }),
    );

    expect(warnings).toEqual([
      expect.stringMatching(/env\.DB_PASSWORD looks like a secret/),
      expect.stringMatching(/env\.ENDPOINT looks like a secret/),
    ]);
    expect(warnings.join('\n')).not.toContain('Hunter2');
  });

  test('variables take literals, settings and expressions', () => {
    const env = { A: '1', B: 2, C: true, D: 'setting:DB', E: '=tags.site', F: '==x', G: { value: 'y' } };

    expect(edgeOf(withModule({ env })).deployments[0]?.modules.get('tempSensor')?.env).toEqual([
      ['A', { kind: 'literal', value: '1' }],
      ['B', { kind: 'literal', value: 2 }],
      ['C', { kind: 'literal', value: true }],
      ['D', { kind: 'setting', setting: 'DB' }],
      ['E', expect.objectContaining({ kind: 'expression' })],
      ['F', { kind: 'literal', value: '=x' }],
      ['G', { kind: 'literal', value: 'y' }],
    ]);
  });
});

describe('valid content with an effect that the operator may not expect', () => {
  test.each<[string, unknown, string]>([
    [
      'an image without a tag',
      withModule({ image: 'contoso.azurecr.io/sensor' }),
      'has no tag, so devices use :latest',
    ],
    [
      'an image with the tag latest',
      withModule({ image: 'contoso.azurecr.io/sensor:latest' }),
      'has the tag latest',
    ],
    [
      'an image of a registry with a port and no tag',
      withModule({ image: 'localhost:5000/sensor' }),
      'has no tag',
    ],
    [
      'a route from an unknown module',
      withDeployment({
        routes: { a: 'FROM /messages/modules/tempSensr/* INTO $upstream' },
        modules: { tempSensor: MODULE },
      }),
      'Did you mean tempSensor?',
    ],
    [
      'a route to an unknown module',
      withDeployment({
        routes: { a: 'FROM /messages/* INTO BrokeredEndpoint("/modules/filter/inputs/in")' },
      }),
      'names the module "filter", which no deployment has',
    ],
    [
      'a wildcard inside a name',
      withDeployment({
        routes: { a: 'FROM /messages/modules/tempSensor/outputs/t* INTO $upstream' },
        modules: { tempSensor: MODULE },
      }),
      'takes only t',
    ],
    [
      'a removal of nothing',
      withDeployment({ modules: { tempSensor: null } }),
      'no earlier deployment sets it',
    ],
    [
      'a setting in desired',
      withModule({ desired: { key: 'setting:KEY' } }),
      'desired.key is sent as this text',
    ],
    ['a name that the container engine refuses', withModule({}, '_sensor'), 'the container engine refuses'],
    [
      'names that differ in case only',
      withDeployment({ modules: { sensor: MODULE, Sensor: MODULE } }),
      'has the modules "sensor" and "Sensor"',
    ],
    [
      '30 modules that no longer fit into reported',
      withDeployment({
        modules: Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`m${index}`, MODULE])),
      }),
      'it reports about',
    ],
  ])('%s has a warning', (_, edge, warning) => {
    expect(warningsOf(edge).join('\n')).toContain(warning);
  });

  test.each([
    'contoso.azurecr.io/sensor:1.0.3',
    'localhost:5000/sensor:1',
    'sensor:1',
    '$upstream:443/sensor:1',
    `contoso.azurecr.io/team/sensor@sha256:${'a'.repeat(64)}`,
    'Contoso.azurecr.io/team/sensor__x-y.z:v1',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: edgeAgent replaces variables of its host
    '${REGISTRY}/sensor:1',
  ])('the image %s has none', (image) => {
    expect(warningsOf(withModule({ image }))).toEqual([]);
  });
});
