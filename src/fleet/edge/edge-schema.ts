import * as z from 'zod';
import { keyProblem, twinProblems } from '../../iot-hub/twin-limits.ts';
import type { JsonObject } from '../../json/json.ts';
import { compileTemplate, type TemplateProblem } from '../expressions/template.ts';
import { rollout } from '../rollout-schema.ts';
import { expression, NOT_AN_EXPRESSION, name } from '../schema-parts.ts';
import { imageProblem } from './container-image.ts';
import { isChunk, readCreateOptions } from './create-options.ts';
import { IMAGE_PULL_POLICIES, MODULE_STATUSES, MOST_MODULES, RESTART_POLICIES } from './edge.ts';
import { readRoute } from './route.ts';
import { SETTING_PREFIX, settingNamed, WRITE_A_SETTING } from './setting-name.ts';

/*
 * The schema of `edge`. It refuses what the runtime of IoT Edge would refuse on the device, because a hub takes nearly every
 * manifest. Sources: iotedge, edge-agent and edge-hub/core; azure-iot-cli-extension, azext_iot/assets (the JSON schemas of
 * deployments).
 */

type Context = z.core.$RefinementCtx;

function report(context: Context, message: string, path: readonly PropertyKey[] = []): void {
  context.addIssue({ code: 'custom', path: [...path], message });
}

/** Milliseconds and orders of the runtime are unsigned 32 bit numbers. */
const UINT32 = 4_294_967_295;

const image = z.string().superRefine((text, context) => {
  const problem = imageProblem(text);
  if (problem !== undefined) report(context, problem);
});

/** Refuses a key that edgeAgent or the hub refuses: `+`, `#`, `$`, `.`, spaces. */
const variableName = z.string().superRefine((key, context) => {
  const problem = keyProblem(key) ?? (/[+#]/.test(key) ? 'has "+" or "#" in its name' : undefined);
  if (problem !== undefined) {
    report(context, 'is not the name of an environment variable: write letters, digits and "_"');
  }
});

const plainVariable = z.union([z.string(), z.number(), z.boolean()]);
const VARIABLE = 'write a text, a number, true or false, or setting:NAME for a secret';

const variable = z
  .union([plainVariable, z.strictObject({ value: plainVariable })], { error: VARIABLE })
  .superRefine((given, context) => {
    const value = typeof given === 'object' ? given.value : given;
    if (typeof value !== 'string') return;
    if (value.startsWith(SETTING_PREFIX) && settingNamed(value) === undefined) {
      report(context, `names no app setting: ${WRITE_A_SETTING}`);
    }
    const problems: TemplateProblem[] = [];
    compileTemplate(value, 'twin', problems);
    for (const { problem } of problems) report(context, `${NOT_AN_EXPRESSION}: ${problem}`);
    if (Buffer.byteLength(value, 'utf8') > 4_096)
      report(context, 'is a text over 4 KB, which IoT Hub refuses');
  });

const env = z
  .record(variableName, variable)
  .describe('Environment variables: texts, numbers, true, false, =expressions, or setting:NAME for a secret');

const CREATE_OPTIONS =
  'Docker\'s options for the container, such as {"HostConfig": {"Binds": ["/data:/data"]}}. Also as JSON text.';

const container = {
  image: image.describe('Container image with its tag or digest, such as contoso.azurecr.io/sensor:1.0.3'),
  createOptions: z
    .union([z.record(z.string(), z.json()), z.string()], {
      error: 'write an object, or the JSON text of one',
    })
    .optional()
    .describe(CREATE_OPTIONS),
  env: env.optional(),
  imagePullPolicy: z
    .enum(IMAGE_PULL_POLICIES)
    .optional()
    .describe('When the device pulls the image: on-create (default) or never'),
};

const startupOrder = z
  .int()
  .min(0)
  .max(UINT32)
  .optional()
  .describe('Modules with a smaller number start first. Default: after all others.');

const status = z
  .enum(MODULE_STATUSES)
  .default('running')
  .describe('Whether the module runs: running (default) or stopped');

const restartPolicy = z
  .enum(RESTART_POLICIES)
  .default('always')
  .describe('When edgeAgent starts the module again: always (default), on-failure, on-unhealthy, never');

/** Fields of a manifest that Berth writes itself, and where their content belongs in a fleet file. */
const MANIFEST_FIELDS: Readonly<Record<string, string>> = {
  type: 'remove it, because Berth writes "docker"',
  settings: 'write image and createOptions directly in the module',
  'properties.desired': 'write desired',
};

/** An object with the known fields and the numbered parts of its `createOptions`. */
function containerObject<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  others: Readonly<Record<string, string>>,
) {
  return z
    .object(shape)
    .catchall(z.json())
    .superRefine((value, context) => {
      const given = value as JsonObject;
      const unknown: string[] = [];
      for (const key of Object.keys(given)) {
        if (Object.hasOwn(shape, key) || isChunk(key)) continue;
        const why = Object.hasOwn(others, key) ? others[key] : MANIFEST_FIELDS[key];
        if (why === undefined) unknown.push(key);
        else report(context, `is not a field here: ${why}`, [key]);
      }
      if (unknown.length > 0) {
        context.addIssue({ code: 'unrecognized_keys', keys: unknown, input: value, path: [] });
      }
      const read = readCreateOptions(given);
      if (!read.ok) report(context, read.problem, [read.field]);
    });
}

const OWN_STATUS = 'remove it, because edgeAgent always runs and restarts itself';

const edgeAgent = containerObject(container, {
  status: OWN_STATUS,
  restartPolicy: OWN_STATUS,
  startupOrder: 'remove it, because edgeAgent always starts first',
});

const edgeHub = containerObject({ ...container, status, restartPolicy, startupOrder }, {});

const desired = z
  .record(z.string(), z.json())
  .superRefine((value, context) => {
    const problems: TemplateProblem[] = [];
    compileTemplate(value as JsonObject, 'twin', problems);
    for (const { path, problem } of problems) report(context, `${NOT_AN_EXPRESSION}: ${problem}`, path);
    for (const { path, message } of twinProblems('desired', value as JsonObject))
      report(context, message, path);
  })
  .describe('All desired properties of the module twin. Each apply replaces them. Default: left alone.');

const edgeModule = containerObject(
  {
    ...container,
    status,
    restartPolicy,
    startupOrder,
    version: z.string().min(1).max(256).optional().describe('A text that edgeAgent only reports'),
    desired: desired.optional(),
  },
  {},
);

/** As Microsoft's schema of deployments has it. The longest id of a module has 128 characters. */
const MODULE_NAME = /^[A-Za-z0-9_-]{1,128}$/;
const SYSTEM_MODULES: ReadonlyMap<string, string> = new Map([
  ['edgeagent', 'edgeAgent'],
  ['edgehub', 'edgeHub'],
]);

const moduleName = z.string().superRefine((text, context) => {
  const system = SYSTEM_MODULES.get(text.toLowerCase().replace(/^\$/, ''));
  if (system !== undefined) report(context, `is a module of the runtime: write it as edge.runtime.${system}`);
  else if (!MODULE_NAME.test(text))
    report(context, 'is not the name of a module: write at most 128 letters, digits, "-" and "_"');
});

/** edgeHub refuses these characters in a name (EdgeHub.Core/config), and IoT Hub all others of `keyProblem`. */
const routeName = z.string().superRefine((text, context) => {
  if (keyProblem(text) !== undefined || text.includes('#')) {
    report(context, 'is not the name of a route: write it without ".", "$", "#" and spaces');
  }
});

const routeText = z.string().superRefine((text, context) => {
  const read = readRoute(text);
  if (!read.ok) report(context, read.problem);
});

const timeToLiveSecs = z.int().min(0).max(UINT32);

const route = z
  .union(
    [
      routeText,
      z.strictObject({
        route: routeText.describe('FROM source [WHERE condition] INTO sink'),
        priority: z.int().min(0).max(9).optional().describe('0 (first) to 9. Default: after all others.'),
        timeToLiveSecs: timeToLiveSecs
          .optional()
          .describe('How long edgeHub keeps a message of this route, in seconds. 0: as for all messages.'),
      }),
    ],
    { error: 'write a text such as "FROM /messages/* INTO $upstream", or an object with route' },
  )
  .nullable();

const deployment = z
  .strictObject({
    name,
    when: expression('twin')
      .optional()
      .describe('CEL condition about the device twin. Default: every IoT Edge device.'),
    modules: z
      .record(moduleName, edgeModule.nullable())
      .default({})
      .describe('Modules by name. null removes a module of an earlier deployment.'),
    routes: z
      .record(routeName, route)
      .default({})
      .describe('Routes of edgeHub by name. null removes a route of an earlier deployment.'),
    rollout: rollout
      .optional()
      .describe('How a new content of this deployment reaches the devices. Default: twins.rollout.'),
  })
  .superRefine(({ modules, routes }, context) => {
    const count = Object.values(modules).filter((module) => module !== null).length;
    if (count > MOST_MODULES) {
      report(context, `has ${count} modules; a device has at most ${MOST_MODULES}: remove some`, ['modules']);
    }
    if (Object.keys(modules).length + Object.keys(routes).length === 0) {
      report(context, 'sets nothing: write modules or routes');
    }
  });

const credential = z.string().superRefine((text, context) => {
  if (settingNamed(text) === undefined) {
    report(context, `is not the name of an app setting (its value is not shown here): ${WRITE_A_SETTING}`);
  }
});

const registry = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'write at most 64 letters, digits, "-" and "_"')
    .optional()
    .describe('Key of the credentials in the manifest. Default: the address with "_" for other characters.'),
  address: z
    .string()
    .regex(
      /^(?:\$upstream|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?$/,
      'write the host name of the registry as images begin with it, such as contoso.azurecr.io, without https://',
    )
    .describe('Host name of the registry, such as contoso.azurecr.io'),
  username: credential.describe('setting:NAME, where NAME is an app setting with the user name'),
  password: credential.describe('setting:NAME, where NAME is an app setting with the password'),
});

const AGENT_IMAGE = 'mcr.microsoft.com/azureiotedge-agent:1.6';
const HUB_IMAGE = 'mcr.microsoft.com/azureiotedge-hub:1.6';

export const edge = z.strictObject({
  runtime: z
    .strictObject({
      edgeAgent: edgeAgent.prefault({ image: AGENT_IMAGE }),
      edgeHub: edgeHub.prefault({ image: HUB_IMAGE }),
      minDockerVersion: z
        .string()
        .min(1)
        .max(64)
        .default('v1.25')
        .describe('Least version of the Docker API'),
      loggingOptions: z
        .string()
        .max(4_096)
        .default('')
        .describe('Docker logging options of the modules, as JSON text'),
      timeToLiveSecs: z
        .int()
        .min(-1)
        .max(2_147_483_647)
        .default(7_200)
        .describe(
          'How long edgeHub keeps messages for the hub while it is offline, in seconds. -1: for ever.',
        ),
    })
    .prefault({})
    .describe('The runtime of IoT Edge: its two system modules and their settings'),
  registries: z.array(registry).max(32).default([]).describe('Credentials of container registries'),
  deployments: z
    .array(deployment)
    .min(1, 'write at least one deployment')
    .max(100)
    .describe('Deployments in layers. Later ones win for each module and each route.'),
});

export type EdgeFile = z.output<typeof edge>;
export type EdgeDeploymentFile = EdgeFile['deployments'][number];
export type EdgeModuleFile = NonNullable<EdgeDeploymentFile['modules'][string]>;
export type EdgeRouteFile = NonNullable<EdgeDeploymentFile['routes'][string]>;
