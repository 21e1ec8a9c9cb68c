import { app, type InvocationContext, trigger } from '@azure/functions';
import type { Instance } from '../instance/instance.ts';
import { once } from '../instance/once.ts';
import type { WebhookState } from '../instance/webhook-state.ts';
import type { Environment } from '../settings/settings.ts';
import { allocateDevice } from './allocate-device.ts';
import { explainAllocation } from './explain-allocation.ts';
import type { FileFolders } from './files.ts';
import type { HttpHandler } from './http-answer.ts';

/** All other code of the functions. */
type Whole = typeof import('./whole.ts');

/** What the functions of one instance share. */
export interface FunctionParts {
  /** What the webhook needs, which is loaded before all else. */
  readonly webhook: () => Promise<WebhookState>;
  /** The whole instance. Its code is loaded by the first call. */
  readonly instance: () => Promise<Instance>;
  readonly env: Environment;
  readonly files: FileFolders;
}

/**
 * Registers all functions with the host. Only the webhook's code is loaded here: a device that registers waits for a cold start,
 * and all other callers can wait a moment longer. The other functions load their code when they are first called.
 */
export function registerFunctions(parts: FunctionParts): void {
  registerWebhook(parts);
  registerSync(parts);
  registerReports(parts);
  registerFiles(parts.files);
}

function registerWebhook({ webhook }: FunctionParts): void {
  app.http('allocateDevice', {
    methods: ['POST'],
    authLevel: 'function',
    route: 'allocate',
    handler: loaded(async () => allocateDevice(await webhook())),
  });
  app.http('explainAllocation', {
    methods: ['POST'],
    authLevel: 'function',
    route: 'explain',
    handler: loaded(async () => explainAllocation(await webhook())),
  });
}

function registerSync({ instance, env }: FunctionParts): void {
  const options = {
    connection: 'TWIN_EVENTS',
    eventHubName: env.TWIN_EVENTS_NAME ? '%TWIN_EVENTS_NAME%' : 'twin-events',
    consumerGroup: env.TWIN_EVENTS_CONSUMER_GROUP ? '%TWIN_EVENTS_CONSUMER_GROUP%' : '$Default',
    cardinality: 'many',
  } as const;
  const sync = once(async () => (await import('./whole.ts')).syncTwins(await instance()));
  app.eventHub('syncTwins', {
    ...options,
    // Without `binary`, the host parses every body as JSON, and one that is not JSON loses the whole batch. The type of
    // the options has no member for it.
    trigger: { ...trigger.eventHub(options), dataType: 'binary' },
    // The host moves the checkpoint after a failed invocation. So a failed batch is tried without limit, and the partition
    // waits.
    retry: {
      strategy: 'exponentialBackoff',
      maxRetryCount: -1,
      minimumInterval: { seconds: 1 },
      maximumInterval: { minutes: 1 },
    },
    handler: async (events: unknown, context: InvocationContext) => (await sync())(events, context),
  });
  const resync = once(async () => (await import('./whole.ts')).resyncFleet(await instance()));
  app.timer('resyncFleet', {
    schedule: '0 * * * * *',
    handler: async (timer, context) => (await resync())(timer, context),
  });
}

function registerReports({ instance }: FunctionParts): void {
  const get = (
    name: keyof Whole,
    route: string,
    handler: (whole: Whole, instance: Instance) => HttpHandler,
    authLevel: 'function' | 'anonymous' = 'function',
  ) =>
    app.http(name, {
      methods: ['GET'],
      authLevel,
      route,
      handler: loaded(async () => handler(await import('./whole.ts'), await instance())),
    });

  get('fleetStatus', 'fleet', (whole, open) => whole.fleetStatus(open));
  get('attention', 'attention', (whole, open) => whole.attention(open));
  get('queue', 'queue', (whole, open) => whole.queue(open));
  get('devices', 'devices', (whole, open) => whole.devices(open));
  get('device', 'devices/{deviceId}', (whole, open) => whole.device(open));
  get('deviceHistory', 'devices/{deviceId}/history', (whole, open) => whole.deviceHistory(open));
  get('deadLetters', 'dead-letters', (whole, open) => whole.deadLetters(open));
  // The parts of an id.
  get('deadLetter', 'dead-letters/{day}/{partition}/{number}/{digest}', (whole, open) =>
    whole.deadLetter(open),
  );
  get('series', 'series', (whole, open) => whole.series(open));
  get('healthDetail', 'health/detail', (whole, open) => whole.healthDetail(open));
  get('health', 'health', (whole, open) => whole.health(open), 'anonymous');
}

/** The files need no instance, so the console opens even without settings. */
function registerFiles({ console, openApi }: FileFolders): void {
  app.http('console', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'console/{*path}',
    handler: loaded(async () => (await import('./whole.ts')).consoleFiles(console)),
  });
  app.http('openApi', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'openapi.json',
    handler: loaded(async () => (await import('./whole.ts')).openApiFile(openApi)),
  });
}

/** A handler that is made at its first request. */
function loaded(load: () => Promise<HttpHandler>): HttpHandler {
  const handler = once(load);
  return async (request, context) => (await handler())(request, context);
}
