import * as z from 'zod';
import { DEVICE_ID } from '../iot-hub/device-id.ts';
import { HOST_NAME } from '../iot-hub/host-name.ts';
import { TIERS } from '../iot-hub/throttles.ts';
import { twinProblems } from '../iot-hub/twin-limits.ts';
import { isObject, type JsonObject } from '../json/json.ts';
import { ACKNOWLEDGEMENTS, COMPARISONS } from './comparison.ts';
import { edge } from './edge/edge-schema.ts';
import type { ExpressionScope } from './expressions/expression.ts';
import { compileTemplate, type TemplateProblem } from './expressions/template.ts';
import { HUB_STATES } from './hub-state.ts';
import { moveRequest } from './move-request-schema.ts';
import { rollout } from './rollout-schema.ts';
import {
  durationField as duration,
  expression,
  NOT_AN_EXPRESSION,
  name,
  partOfAll as share,
} from './schema-parts.ts';

/**
 * The schema of `fleet.json`. `references.ts` checks that the parts of a file fit together.
 * `fleet.schema.json` is generated from this schema; a test compares the two.
 */

const host = z.string().regex(HOST_NAME, 'write the full host name, such as contoso-weu.azure-devices.net');

const json = z.json();

/** JSON with `=expression` texts, within the limits of its twin section. */
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

const hub = z.strictObject({
  host: host.describe(
    'Host name of the IoT hub: its classic, device or service name. All three name the same hub.',
  ),
  serviceHost: host
    .optional()
    .describe('Host name for service calls: the classic name (default) or the service name'),
  region: z
    .string()
    .regex(
      /^[a-z][a-z0-9]{2,39}$/,
      'write the Azure region name in lower case without spaces, such as westeurope',
    )
    .describe('Azure region of the hub, such as westeurope'),
  weight: z
    .number()
    .gt(0)
    .max(1_000_000)
    .default(1)
    .describe('The share of devices is proportional to the weight'),
  tier: z.enum(TIERS).describe('Tier of the hub, which sets its limits. Basic tiers have no device twins.'),
  units: z.int().min(1).max(200).default(1).describe('Number of units of the hub'),
  capacity: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1_000_000)
    .describe('Maximum number of devices. A full hub receives no new devices.'),
  state: z
    .enum(HUB_STATES)
    .default('active')
    .describe(
      'active: receives devices. cordoned: no new devices. draining: devices move when they register again.',
    ),
  labels: z
    .record(z.string(), z.string())
    .default({})
    .describe('Labels that rules can require, such as {"residency": "eu"}'),
  stamp: name.optional().describe('Name of the deployment that reconciles this hub'),
  azure: z
    .strictObject({
      subscription: z
        .string()
        .regex(
          /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
          'write the id of the subscription: "az account show --query id" prints it',
        )
        .describe('Id of the subscription of the hub'),
      resourceGroup: z
        .string()
        .regex(/^[\w().-]{0,89}[\w()-]$/, 'write the name of the resource group of the hub')
        .describe('Resource group of the hub'),
    })
    .optional()
    .describe(
      'Where the hub is, if it exists already. Berth then never creates or resizes it. Default: the templates in infra/ create the hub.',
    ),
  budget: z
    .strictObject({ rate: share.default(0.5), daily: share.default(0.2) })
    .default({ rate: 0.5, daily: 0.2 })
    .describe('Share of the throttle (rate) and of the daily quota (daily) that Berth may use'),
  connection: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
      'write the name of an app setting that contains the connection string; never write the string itself',
    )
    .optional()
    .describe('App setting with a service connection string. Default: Berth uses its managed identity.'),
});

const whenUnknown = z
  .enum(['apply', 'skip', 'refuse'])
  .optional()
  .describe(
    'What the rule does if its condition is unknown. Default: apply for require, skip for all other rules.',
  );

const labels = z.record(z.string(), z.string());
const filled = (value: object) => Object.keys(value).length > 0;
const EMPTY = 'is empty: write at least one entry, or remove it';

/** A device id, or an expression that computes one. */
const parent = z
  .string()
  .max(4_096)
  .superRefine((text, context) => {
    const problems: TemplateProblem[] = [];
    const template = compileTemplate(text, 'rule', problems);
    for (const { problem } of problems) {
      context.addIssue({ code: 'custom', message: `${NOT_AN_EXPRESSION}: ${problem}` });
    }
    const isId = template.kind !== 'literal' || DEVICE_ID.test(String(template.value));
    if (problems.length === 0 && !isId) {
      context.addIssue({
        code: 'custom',
        message: `is ${JSON.stringify(text.slice(0, 128))}, which is not a device id: write one, or =expression`,
      });
    }
  });

const rule = z.strictObject({
  name,
  when: expression('rule').optional().describe('CEL condition. Default: the rule always matches.'),
  whenUnknown,
  require: labels.refine(filled, EMPTY).optional().describe('Labels that the hub must have'),
  hub: host.optional().describe('The only hub that may receive the device'),
  deny: z.string().min(1).max(256).optional().describe('Refuses the registration. The text is the reason.'),
  parent: parent
    .optional()
    .describe(
      'Device id of the IoT Edge device above this device, as a text or as =expression. The device goes to the hub of its parent.',
    ),
  prefer: z
    .record(z.string(), z.number().gt(0).max(1_000))
    .refine(filled, EMPTY)
    .optional()
    .describe('Factors for the weights of hubs, by host name'),
});

const allocation = z.strictObject({
  salt: z
    .string()
    .max(256)
    .default('')
    .describe('Secret text that prevents people who choose registration ids from predicting the hub'),
  latency: z
    .strictObject({
      halfLifeMs: z
        .number()
        .min(0)
        .max(100_000)
        .describe(
          'Extra latency, in milliseconds, that halves the weight of a hub. 0: only the fastest hub.',
        ),
    })
    .optional()
    .describe('Prefers hubs with a low latency to the device. Default: weights alone.'),
  load: z
    .strictObject({
      epsilon: z
        .number()
        .gt(0)
        .max(100)
        .describe(
          'Berth skips a hub with more than (1 + epsilon) times its fair share while another hub has less',
        ),
    })
    .optional()
    .describe('Limits the share of devices of each hub. Default: no limit.'),
  sticky: z
    .strictObject({
      moveWhenFasterByMs: z
        .number()
        .min(0)
        .max(100_000)
        .describe('A device moves if its best hub is faster by at least this many milliseconds'),
    })
    .optional()
    .describe('Moves devices to faster hubs. Default: devices stay.'),
  moves: z
    .strictObject({
      over: duration
        .optional()
        .describe(
          'Duration of each gradual move: a drain, or moves to a faster hub. Default: a device moves at its next registration.',
        ),
      ask: moveRequest
        .optional()
        .describe(
          'How Berth asks the devices of a draining hub to register again. Default: it waits until they do.',
        ),
    })
    .refine(filled, EMPTY)
    .optional()
    .describe('How devices move to other hubs'),
  setScopes: z
    .boolean()
    .default(false)
    .describe(
      'Berth enters the parent in the identity of its children, once, where none is entered. The app then needs a further right.',
    ),
  rules: z.array(rule).max(200).default([]).describe('Rules. Every matching rule applies.'),
  payload: template('layer').optional().describe('Payload that Berth returns to the device'),
});

const layer = z.strictObject({
  name,
  when: expression('layer').optional().describe('CEL condition. Default: the layer always applies.'),
  tags: template('layer', 'tags').optional().describe('Tags of the initial twin'),
  desired: template('layer', 'desired').optional().describe('Desired properties of the initial twin'),
});

/** Refuses empty objects, which set no property. */
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

/** Refuses null in the mode `seed`, which sets only absent properties. */
function refuseSeededNull(
  { mode, desired }: { readonly mode: string; readonly desired: unknown },
  context: z.RefinementCtx,
): void {
  if (mode !== 'seed' || !isObject(desired)) return;
  for (const path of nullPaths(desired)) {
    context.addIssue({
      code: 'custom',
      path: ['desired', ...path],
      message: 'is null, which the mode seed cannot set: write a value, or remove the property',
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
      .regex(/^module:[A-Za-z0-9\-._:]{1,128}$/, 'write module:NAME, or remove the field for device twins')
      .optional()
      .describe('module:NAME for module twins. Default: device twins.'),
    when: expression('twin').optional().describe('CEL condition. Default: the policy matches every twin.'),
    mode: z
      .enum(['enforce', 'adopt', 'seed', 'observe'])
      .default('enforce')
      .describe(
        'enforce: write the values. adopt: desired follows reported. seed: write absent properties once. observe: write nothing.',
      ),
    desired: template('twin', 'desired')
      .superRefine((json, context) => refuseEmptyObjects(json, context))
      .describe('Desired properties that the policy owns, with their values'),
    tolerance: z
      .number()
      .min(0)
      .default(0)
      .describe('Largest difference of two numbers that are treated as equal'),
    // Without a default, so that the hash of a policy without this field does not change.
    compare: z
      .union([z.enum(COMPARISONS), z.record(z.string(), z.enum(COMPARISONS))], { error: COMPARE })
      .optional()
      .describe(
        'How values are compared: a comparison, or an object from dotted paths to comparisons. Default: exact.',
      ),
    acknowledgement: z
      .enum(ACKNOWLEDGEMENTS)
      .optional()
      .describe(
        'How devices acknowledge a value: pnp (default), central (older Azure IoT Central), echo (only the value)',
      ),
    cooldown: duration
      .optional()
      .describe(
        'Minimum time between two writes of one value. Default: 0s; 1m for adopt, or if `when` reads `reported`.',
      ),
    attempts: z
      .int()
      .min(1)
      .max(100)
      .default(3)
      .describe(
        'Total number of times that Berth writes one value to a device that fails, reports another value or does not answer',
      ),
    deadline: duration
      .default('1h')
      .describe('How long a device may answer 202 before its value is rejected'),
    confirm: z
      .boolean()
      .default(true)
      .describe(
        'Whether the device must report the value. If false, a property is in sync without a report.',
      ),
    onLeave: z
      .enum(['keep', 'remove'])
      .default('keep')
      .describe('Whether values stay in a twin that the policy no longer matches, or are removed'),
    rollout: rollout
      .optional()
      .describe('How a new content of this policy reaches the devices. Default: twins.rollout.'),
  })
  .superRefine(refuseSeededNull);

const twins = z.strictObject({
  scope: expression('twin')
    .optional()
    .describe('CEL condition for the twins that Berth may write. Default: all twins.'),
  redact: z
    .array(z.string().regex(/^[^.$\s]+(\.[^.$\s]+)*$/, 'write a dotted path such as wifi.psk'))
    .default([])
    .describe(
      'Dotted paths of secret properties. Outside the hub, Berth stores only a keyed hash of their values.',
    ),
  initial: z.array(layer).max(100).default([]).describe('Layers of the initial twin. Later layers win.'),
  resendInitial: z
    .boolean()
    .default(true)
    .describe(
      'Also send the initial twin for a device that keeps its hub. DPS ignores it unless the device was deleted from the hub.',
    ),
  policies: z.array(policy).max(200).default([]).describe('Policies for the desired properties of twins'),
  rollout: rollout
    .optional()
    .describe('How new and changed policies reach the devices. Default: they reach all twins at once.'),
  fight: z
    .strictObject({
      writes: z
        .int()
        .min(1)
        .max(100)
        .default(3)
        .describe('How many times another writer may change a property before it is contested'),
      within: duration.default('10m').describe('Time in which these changes count'),
      pause: duration
        .default('1h')
        .describe('How long Berth does not write a contested property after the last change'),
    })
    .default({ writes: 3, within: '10m', pause: '1h' })
    .describe('When a property is contested because another writer keeps changing it'),
});

export const fleetFileSchema = z.strictObject({
  $schema: z.string().optional(),
  hubs: z.array(hub).min(1, 'write at least one hub').max(500),
  allocation: allocation.prefault({}),
  twins: twins.prefault({}),
  edge: edge.optional().describe('What runs on IoT Edge devices. Default: Berth leaves them alone.'),
});

/** The file with defaults filled in. Durations are still texts. */
export type FleetFile = z.output<typeof fleetFileSchema>;
export type HubFile = FleetFile['hubs'][number];
export type RuleFile = FleetFile['allocation']['rules'][number];
export type LayerFile = FleetFile['twins']['initial'][number];
export type PolicyFile = FleetFile['twins']['policies'][number];

/** The numbered parts of `createOptions` are a pattern, which zod cannot express next to named fields. */
function closeContainers({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.properties?.createOptions === undefined) return;
  jsonSchema.additionalProperties = false;
  jsonSchema.patternProperties = { '^createOptions[0-9]{2}$': { type: 'string' } };
}

/** The JSON schema for editors, as `fleet.schema.json` holds it. */
export function fleetJsonSchema(): object {
  return {
    title: 'Berth fleet file',
    ...z.toJSONSchema(fleetFileSchema, { io: 'input', target: 'draft-7', override: closeContainers }),
  };
}
