import * as z from 'zod';
import { type JsonObject, ownMember } from '../../../src/json/json.ts';
import { joinCreateOptions } from './create-options.ts';

/* What the agent reads from its desired properties (Microsoft.Azure.Devices.Edge.Agent.*, sources of 2026-08). */

type RestartPolicy = 'never' | 'on-failure' | 'on-unhealthy' | 'always';

/** A module that should be on the device. */
export interface WantedModule {
  readonly name: string;
  readonly image: string;
  /** The options of its container, as JSON text. */
  readonly createOptions: string;
  readonly status: 'running' | 'stopped';
  readonly restartPolicy: RestartPolicy;
  readonly imagePullPolicy: 'on-create' | 'never';
  /** Lower numbers start first. Undefined: last. */
  readonly startupOrder: number | undefined;
  readonly version: string | undefined;
  readonly env: Readonly<Record<string, string | number | boolean>>;
}

/** A valid manifest. */
export interface AgentManifest {
  /** The type and the settings of the container runtime, which the agent copies into its report, credentials included. */
  readonly runtime: JsonObject;
  /** The agent itself; undefined: the manifest has only `runtime`. */
  readonly edgeAgent: WantedModule | undefined;
  /** `edgeHub`, named `edgeHub`, then the other modules. */
  readonly modules: readonly WantedModule[];
}

/** The manifest, or the code and description of `lastDesiredStatus`. */
export type ReadManifest =
  | { readonly ok: true; readonly manifest: AgentManifest }
  | { readonly ok: false; readonly code: 400 | 412 | 417; readonly description: string };

const EMPTY = 'This device has an empty configuration for the edge agent. Please set a deployment manifest.';
const FORMAT = 'Agent configuration format is invalid.';

/** The newest schema that the agent knows: 1.1.0. */
const NEWEST_MINOR = 1;

const text = z.string().min(1);
const settings = z.looseObject({ image: text });
const env = z.record(z.string(), z.looseObject({ value: z.union([z.string(), z.number(), z.boolean()]) }));
const startupOrder = z.int().min(0).max(4_294_967_295);
const restartPolicy = z.enum(['never', 'on-failure', 'on-unhealthy', 'always']);
const imagePullPolicy = z.enum(['on-create', 'never']);
const common = {
  type: z.literal('docker'),
  settings,
  env: env.optional(),
  imagePullPolicy: imagePullPolicy.optional(),
};

const MANIFEST = z.looseObject({
  schemaVersion: text,
  runtime: z.looseObject({
    type: z.literal('docker'),
    settings: z.looseObject({
      registryCredentials: z
        .record(z.string(), z.looseObject({ username: text, password: text, address: text.regex(/^\S+$/) }))
        .optional(),
    }),
  }),
  systemModules: z
    .looseObject({
      edgeAgent: z.looseObject(common).optional(),
      edgeHub: z
        .looseObject({
          ...common,
          status: z.enum(['running', 'stopped']),
          restartPolicy: restartPolicy.optional(),
          startupOrder: startupOrder.optional(),
        })
        .optional(),
    })
    .optional(),
  modules: z
    .record(
      z.string().regex(/^[A-Za-z0-9_-]+$/),
      z.looseObject({
        ...common,
        status: z.enum(['running', 'stopped']),
        restartPolicy: restartPolicy.optional(),
        startupOrder: startupOrder.optional(),
        version: z.string().optional(),
      }),
    )
    .optional(),
});

type ModuleText = z.output<typeof settings>;

/**
 * Reads the desired properties of `$edgeAgent`, without `$version`. The codes are those of `lastDesiredStatus`: 417 for no
 * properties, 412 for a schema version that is not known, 400 for another fault.
 */
export function readAgentManifest(desired: JsonObject): ReadManifest {
  if (Object.keys(desired).length === 0) return { ok: false, code: 417, description: EMPTY };
  const version = ownMember(desired, 'schemaVersion');
  if (typeof version !== 'string') return invalid('schemaVersion is missing');
  const [major, minor, patch] = version.split('.').map(Number);
  if (major === undefined || !/^\d+(\.\d+){1,2}$/.test(version)) return invalid(`schemaVersion ${version}`);
  const known = major === 1 && minor !== undefined && minor <= NEWEST_MINOR;
  if (!known || (minor === NEWEST_MINOR && (patch ?? 0) > 0)) {
    return {
      ok: false,
      code: 412,
      description: `The deployment schema version ${version} is not compatible with the expected version 1.1.0`,
    };
  }
  const parsed = MANIFEST.safeParse(desired);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
  }
  const { runtime, systemModules = {}, modules = {} } = parsed.data;
  try {
    return {
      ok: true,
      manifest: {
        runtime: runtime as JsonObject,
        edgeAgent:
          systemModules.edgeAgent &&
          wanted(
            'edgeAgent',
            { ...systemModules.edgeAgent, status: 'running', restartPolicy: 'always' },
            'always',
          ),
        modules: [
          ...(systemModules.edgeHub ? [wanted('edgeHub', systemModules.edgeHub, 'always')] : []),
          ...Object.entries(modules).map(([name, module]) => wanted(name, module, 'on-unhealthy')),
        ],
      },
    };
  } catch (error) {
    if (error instanceof WrongOptions) return invalid(error.message);
    throw error;
  }
}

interface ParsedModule {
  readonly settings: ModuleText;
  readonly status: 'running' | 'stopped';
  readonly restartPolicy?: RestartPolicy | undefined;
  readonly imagePullPolicy?: 'on-create' | 'never' | undefined;
  readonly startupOrder?: number | undefined;
  readonly version?: string | undefined;
  readonly env?: Readonly<Record<string, { readonly value: string | number | boolean }>> | undefined;
}

class WrongOptions extends Error {}

function wanted(name: string, module: ParsedModule, usualPolicy: RestartPolicy): WantedModule {
  const options = joinCreateOptions(module.settings as JsonObject);
  if (!options.ok) throw new WrongOptions(`${name}.settings.${options.problem}`);
  return {
    name,
    image: withTag(module.settings.image.trim()),
    createOptions: options.text === '' || options.text === 'null' ? '{}' : options.text,
    status: module.status,
    restartPolicy: module.restartPolicy ?? usualPolicy,
    imagePullPolicy: module.imagePullPolicy ?? 'on-create',
    startupOrder: module.startupOrder,
    version: module.version,
    env: Object.fromEntries(Object.entries(module.env ?? {}).map(([key, { value }]) => [key, value])),
  };
}

/** An image without a tag or digest gets the tag `latest`. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? image : `${image}:latest`;
}

function invalid(reason: string): ReadManifest {
  return { ok: false, code: 400, description: `${FORMAT} ${reason}` };
}

/** The properties of a section as the device sees it, without `$version`. */
export function withoutVersion(section: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(section).filter(([key]) => key !== '$version'));
}
