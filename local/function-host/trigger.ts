import type { Invocation } from './invocation.ts';

/** The trigger of one function that is not an HTTP function. */
export interface Trigger {
  /** Starts the trigger and returns at once. The services that it needs may start later. */
  start(): void;
  /** The invocation of a manual run (`POST /admin/functions/{name}`) with the text of its request. */
  manualInvocation(input: string): Invocation;
  /** Starts no new invocations. Resolves when the running ones have ended, or soon after `giveUp` is aborted. */
  stop(giveUp: AbortSignal): Promise<void>;
}
