import * as z from 'zod';
import type { LocalLog } from '../log.ts';
import { readAppFile } from './settings.ts';
import { parseTimeSpan } from './time-span.ts';

/** Default of the host for every plan except Consumption: Azure/azure-functions-host `ScriptJobHostOptionsSetup.cs`. */
const DEFAULT_TIMEOUT_MS = 30 * 60_000;

/** Parses a timeout to milliseconds. "-1" (no timeout) becomes undefined. */
const functionTimeout = z.string().transform((text, context) => {
  const ms = parseTimeSpan(text);
  if (ms !== undefined || text === '-1') return ms;
  context.addIssue({ code: 'custom', message: `"${text}" is not a time span, use hh:mm:ss` });
  return z.NEVER;
});

const initialOffset = z.discriminatedUnion('type', [
  z.object({ type: z.literal('fromStart') }),
  z.object({ type: z.literal('fromEnd') }),
  z.object({ type: z.literal('fromEnqueuedTime'), enqueuedTimeUtc: z.iso.datetime({ offset: true }) }),
]);

/**
 * `extensions.eventHubs`. Defaults and ranges: azure-sdk-for-net `EventHubOptions.cs` and the binding's
 * documentation (extension 6). The object is loose, so that a warning can name options without effect.
 */
const eventHubs = z.looseObject({
  maxEventBatchSize: z.int().min(1).default(100),
  batchCheckpointFrequency: z.int().min(1).default(1),
  prefetchCount: z.int().min(0).default(300),
  initialOffsetOptions: initialOffset.default({ type: 'fromStart' }),
});

const HOST_FILE = z.object({
  functionTimeout: functionTimeout.default(DEFAULT_TIMEOUT_MS),
  extensions: z
    .object({
      http: z.object({ routePrefix: z.string().default('api') }).prefault({}),
      eventHubs: eventHubs.prefault({}),
    })
    .prefault({}),
});

export type EventHubTriggerOptions = Readonly<z.infer<typeof eventHubs>>;

/** The options of `host.json` that this host uses. */
export interface HostFile {
  /** Milliseconds; undefined: no timeout. */
  readonly functionTimeoutMs: number | undefined;
  /** Without slashes; empty for none. */
  readonly routePrefix: string;
  readonly eventHubs: EventHubTriggerOptions;
}

/**
 * Reads `host.json` of the app. If the file is missing, the defaults apply.
 *
 * @throws LocalError `BERTH_LOCAL_APP_FILE`
 */
export function readHostFile(directory: string, log: LocalLog): HostFile {
  const file = readAppFile(directory, 'host.json', HOST_FILE) ?? HOST_FILE.parse({});
  const obeyed = new Set(Object.keys(eventHubs.shape));
  const ignored = Object.keys(file.extensions.eventHubs).filter((option) => !obeyed.has(option));
  if (ignored.length > 0) {
    log.warn(`host.json: extensions.eventHubs.${ignored.join(', ')} has no effect on this machine.`);
  }
  return {
    functionTimeoutMs: file.functionTimeout,
    routePrefix: file.extensions.http.routePrefix.replace(/^\/+|\/+$/g, ''),
    eventHubs: file.extensions.eventHubs,
  };
}
