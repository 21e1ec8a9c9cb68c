import { describe, expect, test } from '@jest/globals';
import { readAgentManifest } from '../../local/edge/manifest/agent-manifest.ts';
import { readHubConfig } from '../../local/edge/manifest/hub-config.ts';
import { parseRuntimeRoute } from '../../local/edge/routes/route.ts';
import { withSecrets } from '../../src/edge/fingerprint.ts';
import { readRoute } from '../../src/fleet/edge/route.ts';
import type { JsonObject } from '../../src/json/json.ts';
import { fc } from '../support/properties.ts';
import { edgeFleet, manifestOf } from './edge-devices.ts';

/* Berth's readers and those of the simulated runtime share no code. What Berth accepts, the runtime must accept too. */

const name = fc
  .stringMatching(/^[A-Za-z][A-Za-z0-9_-]{1,12}$/)
  .filter((text) => !/^edge(agent|hub)$/i.test(text));
const option = <Value>(of: fc.Arbitrary<Value>) => fc.option(of, { nil: undefined });
const anyModule = fc.record(
  {
    image: fc.constantFrom(
      'a.io/sensor:1',
      '$upstream:443/sensor:2',
      'sensor@sha256:'.concat('a'.repeat(64)),
    ),
    status: fc.constantFrom('running', 'stopped'),
    restartPolicy: fc.constantFrom('never', 'on-failure', 'on-unhealthy', 'always'),
    imagePullPolicy: fc.constantFrom('on-create', 'never'),
    startupOrder: fc.nat({ max: 4_294_967_295 }),
    version: fc.constant('1.0'),
    env: fc.dictionary(
      fc.stringMatching(/^[A-Z_]{1,8}$/),
      fc.oneof(fc.constantFrom('x', 'setting:SECRET', '', 'é'), fc.integer(), fc.boolean()),
      { maxKeys: 3 },
    ),
    createOptions: fc.record({ Env: fc.array(fc.string({ maxLength: 300 }), { maxLength: 6 }) }),
    desired: fc.constant({ SendInterval: 5 }),
  },
  { requiredKeys: ['image'] },
);
const route = fc.constantFrom(
  'FROM /messages/* INTO $upstream',
  'FROM /messages/modules/sensor/outputs/out INTO BrokeredEndpoint("/modules/filter/inputs/in")',
  "FROM /messages/* WHERE $body.t > 3 AND NOT (a = 'b') INTO $upstream",
  "FROM /messages/* WHERE as_number(level) + 1 > 3 OR starts_with(a, 'b') INTO $upstream",
);
const routed = fc.oneof(
  route,
  fc.record({ route, priority: option(fc.nat({ max: 9 })), timeToLiveSecs: option(fc.nat()) }),
);

test('every manifest that Berth makes from a valid fleet file is one that the runtime reads', () => {
  fc.assert(
    fc.property(
      fc.dictionary(name, anyModule, { minKeys: 1, maxKeys: 4 }),
      fc.dictionary(name, routed, { maxKeys: 3 }),
      (modules, routes) => {
        const fleet = edgeFleet([{ name: 'any', modules, routes }], {
          registries: [{ address: 'a.io', username: 'setting:USER', password: 'setting:PASSWORD' }],
        });
        const { modulesContent } = withSecrets(manifestOf(fleet), () => 'a "secret" value');
        const desiredOf = (moduleId: string) =>
          ((modulesContent as JsonObject)[moduleId] as JsonObject)['properties.desired'] as JsonObject;
        const agent = readAgentManifest(desiredOf('$edgeAgent'));

        expect(agent).toMatchObject({ ok: true });
        expect(readHubConfig(desiredOf('$edgeHub'))).toMatchObject({ ok: true });
        if (!agent.ok) return;
        expect(agent.manifest.modules.map((each) => each.name).sort()).toEqual(
          ['edgeHub', ...Object.keys(modules)].sort(),
        );
      },
    ),
    { numRuns: 60 },
  );
});

describe('a route that Berth accepts is one that the runtime accepts', () => {
  const part = fc.constantFrom(
    ...['FROM', 'SELECT *', '/messages/*', '/*', '/messages/modules/a/outputs/b', '/twinChangeNotifications'],
    ...[
      'WHERE',
      'INTO',
      '$upstream',
      'BrokeredEndpoint("/modules/a/inputs/b")',
      '(',
      ')',
      'AND',
      'NOT',
      '=',
      '>',
    ],
    ...["'x'", '5', 'a', '$body.t', 'null', 'true', ',', '"'],
  );
  /** Any condition of the grammar, by its parts. */
  const condition = fc.letrec<{ value: string; condition: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(
        "'x'",
        '"y\\"z"',
        '5',
        '-1.5e3',
        '0x1F',
        'level',
        'a-b',
        '$body.t[0].u',
        '$contentType',
        '{$messageId}',
      ),
      fc
        .tuple(fc.constantFrom('abs', 'LOWER', 'length', 'as_number', 'sqrt'), tie('value'))
        .map(([of, one]) => `${of}(${one})`),
      fc
        .tuple(fc.constantFrom('+', '-', '*', '/', '%', '||', '??'), tie('value'), tie('value'))
        .map(([by, one, other]) => `${one} ${by} ${other}`),
      tie('value').map((value) => `(${value})`),
      fc.tuple(tie('value'), tie('value')).map(([one, other]) => `concat(${one},${other})`),
    ),
    condition: fc.oneof(
      { maxDepth: 3 },
      fc
        .tuple(fc.constantFrom('=', '!=', '<>', '<', '>='), tie('value'), tie('value'))
        .map(([by, one, other]) => `${one}${by}${other}`),
      fc
        .tuple(fc.constantFrom('AND', 'or'), tie('condition'), tie('condition'))
        .map(([by, one, other]) => `${one} ${by} ${other}`),
      fc
        .tuple(fc.constantFrom('starts_with', 'Contains', 'ends_with'), tie('value'))
        .map(([of, one]) => `${of}(level, ${one})`),
      fc
        .tuple(fc.constantFrom('is_defined', 'is_null', 'is_number'), tie('value'))
        .map(([of, one]) => `${of}(${one})`),
      tie('condition').map((inner) => `NOT (${inner})`),
      fc.constantFrom('true', '$body.ok'),
    ),
  })).condition;

  test('for any condition with functions, arithmetic and parentheses', () => {
    let accepted = 0;
    fc.assert(
      fc.property(condition, (text) => {
        const route = `FROM /messages/* WHERE ${text} INTO $upstream`;
        if (!readRoute(route).ok) return;
        accepted += 1;
        expect(() => parseRuntimeRoute(route)).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
    // Most conditions have the right types, or the test would say nothing.
    expect(accepted).toBeGreaterThan(400);
  });

  test('for any order of the words of routes', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 10 }), (parts) => {
        const text = parts.join(' ');
        if (readRoute(text).ok) expect(() => parseRuntimeRoute(text)).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
  });

  test('for any condition around a comparison', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 7 }), (parts) => {
        const text = `FROM /messages/* WHERE ${parts.join(' ')} INTO $upstream`;
        if (readRoute(text).ok) expect(() => parseRuntimeRoute(text)).not.toThrow();
      }),
      { numRuns: 4_000 },
    );
  });
});
