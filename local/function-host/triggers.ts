import type { LocalLog } from '../log.ts';
import type { LoadedApp } from './app/load-app.ts';
import { createEventHubTrigger } from './event-hub/event-hub-trigger.ts';
import { isEventHubTrigger } from './event-hub/source.ts';
import type { HostFile } from './host-file.ts';
import type { HostedFunction } from './hosted-function.ts';
import { type HttpRoute, isHttpTrigger } from './http/routes.ts';
import type { Invocation, Invoker } from './invocation.ts';
import { SettingProblem } from './settings.ts';
import { createTimerTrigger, isTimerTrigger } from './timer/timer-trigger.ts';
import type { Trigger } from './trigger.ts';

/**
 * App setting for tests of apps. With it, sequence numbers are `{low, high, unsigned}`, as in workers of late 2026.
 */
const LONG_SEQUENCE_NUMBERS = 'FUNCTION_HOST_LONG_SEQUENCE_NUMBERS';

/** The running triggers, and the problems of the others, by function name. */
export interface Triggers {
  readonly byFunction: ReadonlyMap<string, Trigger>;
  readonly problems: ReadonlyMap<string, string>;
}

/**
 * Starts every timer and Event Hub function. If one cannot start, it logs an error and starts the others.
 */
export function startTriggers(
  { functions, capabilities }: LoadedApp,
  disabled: ReadonlySet<string>,
  hostFile: HostFile,
  invoker: Invoker,
  log: LocalLog,
): Triggers {
  const byFunction = new Map<string, Trigger>();
  const problems = new Map<string, string>();
  for (const fn of functions) {
    if (isHttpTrigger(fn)) continue;
    try {
      const trigger = createTrigger(fn);
      byFunction.set(fn.name, trigger);
      if (!disabled.has(fn.name)) trigger.start();
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.set(fn.name, error.message);
      log.error(`${fn.name} cannot start: ${error.message}.`);
    }
  }
  return { byFunction, problems };

  function createTrigger(fn: HostedFunction): Trigger {
    if (isTimerTrigger(fn)) return createTimerTrigger(fn, process.env, invoker, log);
    if (!isEventHubTrigger(fn))
      throw new SettingProblem(`the local function host does not support ${fn.trigger.type}`);
    const metadataOptions = {
      includeEmptyEntries: Boolean(capabilities.IncludeEmptyEntriesInMessagePayload?.trim()),
      longSequenceNumbers: process.env[LONG_SEQUENCE_NUMBERS] === '1',
    };
    return createEventHubTrigger(fn, process.env, hostFile.eventHubs, metadataOptions, invoker, log);
  }
}

/**
 * The invocation of a manual run of a function without a {@link Trigger}. HTTP functions get a request, other
 * functions get the text.
 */
export function manualInvocation(
  fn: HostedFunction,
  routes: readonly HttpRoute[],
  port: number,
  input: string,
): Invocation {
  const route = routes.find((each) => each.fn === fn);
  if (route === undefined) return { data: { string: input } };
  return {
    data: {
      http: {
        method: route.methods[0] ?? 'POST',
        url: `http://localhost:${port}${encodeURI(route.path)}`,
        nullableHeaders: { 'content-type': { value: 'application/json' } },
        nullableQuery: {},
        nullableParams: {},
        body: { bytes: Buffer.from(input) },
      },
    },
  };
}
