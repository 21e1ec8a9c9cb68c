import { gzipSync } from 'node:zlib';
import * as z from 'zod';
import type { JsonValue } from '../../../src/json/json.ts';
import type { EdgeAgent } from '../agent/agent.ts';
import type { Containers } from '../agent/containers.ts';
import type { ModuleMethod } from '../modules/simulated-module.ts';

const RESTART = z.object({ schemaVersion: z.string(), id: z.string().min(1) });
const LOGS = z.object({
  schemaVersion: z.string(),
  items: z.union([
    z.array(z.object({ id: z.string(), filter: z.object({ tail: z.int().min(0).optional() }).optional() })),
    z.object({ id: z.string(), filter: z.object({ tail: z.int().min(0).optional() }).optional() }),
  ]),
  encoding: z.enum(['none', 'gzip']).default('none'),
  contentType: z.enum(['text', 'json']).default('text'),
});

type Answer = Awaited<ReturnType<ModuleMethod>>;

/**
 * The direct methods of `$edgeAgent`: `ping`, `RestartModule`, `GetModuleLogs`. Uploads are not simulated and answer 500, as
 * failures do. A wrong payload is 400.
 */
export function agentMethods(
  agent: EdgeAgent,
  containers: Containers,
): Readonly<Record<string, ModuleMethod>> {
  return {
    ping: async () => ({ status: 200, payload: null }),
    RestartModule: async (payload) => {
      const parsed = RESTART.safeParse(payload);
      if (!parsed.success) return wrong('The payload must be {"schemaVersion": "1.0", "id": "MODULE"}.');
      const isKnown = await agent.restart(parsed.data.id);
      return isKnown
        ? { status: 200, payload: null }
        : wrong(`Module ${parsed.data.id} not found in the current environment`);
    },
    GetModuleLogs: async (payload) => {
      const parsed = LOGS.safeParse(payload);
      if (!parsed.success) return wrong('The payload must have schemaVersion and items with an id.');
      return moduleLogs(parsed.data, agent, containers);
    },
    UploadModuleLogs: async () => notSimulated('UploadModuleLogs'),
    UploadSupportBundle: async () => notSimulated('UploadSupportBundle'),
    GetTaskStatus: async () => wrong('No task has this correlation id.'),
  };
}

/** The lines of the modules whose names match an id, which is a regular expression. */
function moduleLogs(
  { items, encoding, contentType }: z.output<typeof LOGS>,
  agent: EdgeAgent,
  containers: Containers,
): Answer {
  const logs: JsonValue[] = [];
  for (const { id, filter } of Array.isArray(items) ? items : [items]) {
    const pattern = patternOf(id);
    if (pattern === undefined) return wrong(`${id} is not a regular expression.`);
    for (const name of agent.moduleNames().filter((each) => pattern.test(each))) {
      const lines = containers
        .lines(name)
        .slice(filter?.tail === undefined ? 0 : -filter.tail || Number.POSITIVE_INFINITY);
      const text =
        contentType === 'json'
          ? JSON.stringify(lines.map((line) => ({ id: name, text: line })))
          : lines.join('\n');
      const packed =
        encoding === 'gzip' ? { payloadBytes: gzipSync(text).toString('base64') } : { payload: text };
      logs.push({ id: name, encoding, contentType, ...packed });
    }
  }
  return { status: 200, payload: logs };
}

function patternOf(id: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${id})$`);
  } catch {
    return undefined;
  }
}

function wrong(message: string): Answer {
  return { status: 400, payload: { message } };
}

function notSimulated(name: string): Answer {
  return { status: 500, payload: { message: `${name} is not in the simulated runtime.` } };
}
