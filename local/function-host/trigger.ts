import type { Invocation } from './invocation.ts';

/** What makes one function run without being called over HTTP. */
export interface Trigger {
  /** Begins to run the function. Returns at once; whatever it needs may come up later. */
  start(): void;
  /** One invocation by hand (`POST /admin/functions/{name}`) with the text that came along. */
  manualInvocation(input: string): Invocation;
  /** Takes nothing new in, and resolves when what runs has ended, or soon after `giveUp` is aborted. */
  stop(giveUp: AbortSignal): Promise<void>;
}
