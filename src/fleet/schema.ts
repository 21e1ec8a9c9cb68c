import * as z from 'zod';
import { HOST_NAME } from '../iot-hub/host-name.ts';
import { TIERS } from '../iot-hub/throttles.ts';
import { twinProblems } from '../iot-hub/twin-limits.ts';
import { isObject, type JsonObject } from '../json/json.ts';
import { DURATION_PATTERN, parseDuration } from '../time/duration.ts';
import { ACKNOWLEDGEMENTS, COMPARISONS } from './comparison.ts';
import { compileExpression, type ExpressionScope } from './expressions/expression.ts';
import { compileTemplate, type TemplateProblem } from './expressions/template.ts';
import { HUB_STATES } from './hub-state.ts';

/**
 * The shape of `fleet.json`, field by field. What one part says about another (names that are taken, hubs
 * that do not exist, paths that overlap) is checked in `references.ts`. `fleet.schema.json` is generated from
 * here; a test keeps the two equal.
 */

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'write a name of at most 64 letters, digits, ".", "_" or "-"');

const host = z.string().regex(HOST_NAME, 'write the full host name, such as contoso-weu.azure-devices.net');

const DURATION = 'write a number and s, m, h or d, such as 30s or 5m, of at most 3650d';
const duration = z
  .string()
  .regex(DURATION_PATTERN, { error: DURATION, abort: true })
  .refine((text) => parseDuration(text) !== undefined, DURATION)
  .describe('A number and s, m, h or d');

const json = z.json();

const NOT_AN_EXPRESSION = 'is not a usable CEL expression';

const expression = (scope: ExpressionScope) =>
  z
    .string()
    .max(4_096)
    .superRefine((source, context) => {
      const compiled = compileExpression(source, scope);
      if (compiled.ok) return;
      context.addIssue({ code: 'custom', message: `${NOT_AN_EXPRESSION}: ${compiled.problem}` });
    });

/** JSON with `=expression` strings, within the limits of the twin section that it goes to. */
const template = (scope: ExpressionScope, section?: 'tags' | 'desired') =>
  z.record(z.string(), json).superRefine((value, context) => {
    const problems: TemplateProblem[] = [];
    compileTemplate(value as JsonObject, scope, problems);
    for (const { path, problem } of problems) {
      context.addIssue({ code: 'custom', path: [...path], message: `${NOT_AN_EXPRESSION}: ${problem}` });
    }
    if (section === undefined) return;
    for (const { path, message } of twinProblems(section, value as JsonObject)) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
  });

const share = z.number().gt(0).max(1);

const hub = z.strictObject({
  host: host.describe('A host name of the IoT hub: classic, device or service; all three are the same hub'),
  serviceHost: host
    .optional()
    .describe('Host name that service calls go to: the classic name (default) or the service name'),
  region: z
    .string()
    .regex(
      /^[a-z][a-z0-9]{2,39}$/,
      'write the Azure region name in lower case without spaces, such as westeurope',
    )
    .describe('Azure region name'),
  weight: z.number().gt(0).max(1_000_000).default(1).describe('Shares of devices are proportional to it'),
  tier: z.enum(TIERS).describe('Sets the budgets; basic tiers have no twins'),
  units: z.int().min(1).max(200).default(1),
  capacity: z.int().min(1).max(1_000_000).default(1_000_000).describe('Hard cap of devices'),
  state: z
    .enum(HUB_STATES)
    .default('active')
    .describe('cordoned: no new devices; draining: devices move when they register again'),
  labels: z.record(z.string(), z.string()).default({}),
  stamp: name.optional().describe('Which deployment reconciles this hub'),
  budget: z
    .strictObject({ rate: share.default(0.5), daily: share.default(0.2) })
    .default({ rate: 0.5, daily: 0.2 })
    .describe('Share of the throttle and of the daily quota that Berth may use'),
  connection: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
      'write the name of an app setting that holds the connection string, never the string itself',
    )
    .optional()
    .describe('App setting with a service connection string; absent: managed identity'),
});

const whenUnknown = z
  .enum(['apply', 'skip', 'refuse'])
  .optional()
  .describe(
    'What happens when the condition cannot be decided; default: require applies, everything else skips',
  );

const labels = z.record(z.string(), z.string());
const filled = (value: object) => Object.keys(value).length > 0;
const EMPTY = 'is empty: write at least one entry, or leave it out';

const rule = z.strictObject({
  name,
  when: expression('rule').optional(),
  whenUnknown,
  require: labels.refine(filled, EMPTY).optional().describe('Labels that the hub must have'),
  hub: host.optional().describe('The only hub that may take the device'),
  deny: z.string().min(1).max(256).optional().describe('Refuses the registration; the text is the reason'),
  prefer: z
    .record(z.string(), z.number().gt(0).max(1_000))
    .refine(filled, EMPTY)
    .optional()
    .describe('Factor per hub'),
});

const allocation = z.strictObject({
  salt: z
    .string()
    .max(256)
    .default('')
    .describe('Makes placement unpredictable to who mints registration ids'),
  latency: z.strictObject({ halfLifeMs: z.number().min(0).max(100_000) }).optional(),
  load: z.strictObject({ epsilon: z.number().gt(0).max(100) }).optional(),
  sticky: z.strictObject({ moveWhenFasterByMs: z.number().min(0).max(100_000) }).optional(),
  moves: z.strictObject({ over: duration }).optional(),
  rules: z.array(rule).max(200).default([]),
  payload: template('layer').optional().describe('Returned to the device'),
});

const layer = z.strictObject({
  name,
  when: expression('layer').optional(),
  tags: template('layer', 'tags').optional(),
  desired: template('layer', 'desired').optional(),
});

/** An empty object sets no property, so nobody could own it. */
function refuseEmptyObjects(json: unknown, context: z.RefinementCtx, path: readonly string[] = []): void {
  if (!isObject(json)) return;
  if (Object.keys(json).length === 0) {
    context.addIssue({
      code: 'custom',
      path: [...path],
      message: 'sets nothing: write at least one property',
    });
  }
  for (const [key, member] of Object.entries(json)) refuseEmptyObjects(member, context, [...path, key]);
}

/** A seed sets what is absent, and nothing is absent already. */
function refuseSeededNull(
  { mode, desired }: { readonly mode: string; readonly desired: unknown },
  context: z.RefinementCtx,
): void {
  if (mode !== 'seed' || !isObject(desired)) return;
  for (const path of nullPaths(desired)) {
    context.addIssue({
      code: 'custom',
      path: ['desired', ...path],
      message: 'is null, which seeds nothing: write a value, or leave it out',
    });
  }
}

function nullPaths(json: JsonObject): readonly (readonly string[])[] {
  return Object.entries(json).flatMap(([key, value]) => {
    if (value === null) return [[key]];
    return isObject(value) ? nullPaths(value).map((path) => [key, ...path]) : [];
  });
}

const COMPARE = `write one of ${COMPARISONS.join(', ')}, or an object from the dotted path of a property to one of them`;

const policy = z
  .strictObject({
    name,
    target: z
      .string()
      .regex(/^module:[A-Za-z0-9\-._:]{1,128}$/, 'write module:NAME, or leave it out for device twins')
      .optional(),
    when: expression('twin').optional(),
    mode: z.enum(['enforce', 'adopt', 'seed', 'observe']).default('enforce'),
    desired: template('twin', 'desired').superRefine((json, context) => refuseEmptyObjects(json, context)),
    tolerance: z.number().min(0).default(0).describe('Largest difference of numbers that counts as equal'),
    // Without a default, so that the hash of a policy that does not use it stays as it was.
    compare: z
      .union([z.enum(COMPARISONS), z.record(z.string(), z.enum(COMPARISONS))], { error: COMPARE })
      .optional()
      .describe(
        'How values are compared: a word, or an object from the dotted path of a property to a word; default exact',
      ),
    acknowledgement: z
      .enum(ACKNOWLEDGEMENTS)
      .optional()
      .describe(
        'How devices acknowledge: pnp (default), central (older Azure IoT Central), echo (not at all)',
      ),
    cooldown: duration
      .optional()
      .describe('Least time between two writes of one value; default 0s, 1m where `when` reads `reported`'),
    attempts: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .describe('How often one value is told to a device that fails'),
    deadline: duration.default('1h').describe('How long a device may answer 202'),
    confirm: z.boolean().default(true).describe('false: in sync without a report'),
    onLeave: z.enum(['keep', 'remove']).default('keep'),
  })
  .superRefine(refuseSeededNull);

const twins = z.strictObject({
  scope: expression('twin').optional().describe('Which twins Berth may touch at all'),
  redact: z
    .array(z.string().regex(/^[^.$\s]+(\.[^.$\s]+)*$/, 'write a dotted path such as wifi.psk'))
    .default([])
    .describe('Paths kept as a keyed hash everywhere outside the hub'),
  initial: z.array(layer).max(100).default([]),
  resendInitial: z
    .boolean()
    .default(true)
    .describe(
      'Send the initial twin also for a device that keeps its hub; DPS ignores it where it has an identity',
    ),
  policies: z.array(policy).max(200).default([]),
  rollout: z
    .strictObject({ over: duration, pauseWhen: z.number().gt(0).max(1).default(0.05) })
    .optional()
    .describe('How fast a new or changed policy reaches the fleet; absent: at once'),
  fight: z
    .strictObject({
      writes: z.int().min(1).max(100).default(3),
      within: duration.default('10m'),
      pause: duration.default('1h'),
    })
    .default({ writes: 3, within: '10m', pause: '1h' }),
});

export const fleetFileSchema = z.strictObject({
  $schema: z.string().optional(),
  hubs: z.array(hub).min(1, 'write at least one hub').max(500),
  allocation: allocation.prefault({}),
  twins: twins.prefault({}),
});

/** The file with defaults filled in; durations are still texts. */
export type FleetFile = z.output<typeof fleetFileSchema>;
export type HubFile = FleetFile['hubs'][number];
export type RuleFile = FleetFile['allocation']['rules'][number];
export type LayerFile = FleetFile['twins']['initial'][number];
export type PolicyFile = FleetFile['twins']['policies'][number];

/** The JSON schema for editors, as `fleet.schema.json` holds it. */
export function fleetJsonSchema(): object {
  return {
    title: 'Berth fleet file',
    ...z.toJSONSchema(fleetFileSchema, { io: 'input', target: 'draft-7' }),
  };
}
