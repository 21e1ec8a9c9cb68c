import type { Fleet } from '../../fleet/fleet.ts';
import type { BudgetedHubPort } from '../../hub/budgeted-hubs.ts';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { JsonValue } from '../../json/json.ts';
import type { SyncCount } from '../../metrics/sync-counters.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import type { Gate } from './write-gate.ts';

/**
 * What all of twin sync shares in one invocation: the fleet file in force, the hubs, the stored twins, and how to say what
 * happened. `src/instance/sync-context.ts` makes it. What only one part of twin sync uses is an argument of that part.
 */
export interface SyncContext {
  readonly fleet: Fleet;
  /** The hubs that this deployment reconciles. */
  readonly hosts: readonly HostName[];
  /** Every call has its permit (`budgetHubs`), and answers are redacted (`redactHubs`). */
  readonly hubs: BudgetedHubPort;
  readonly twins: Pick<
    TwinStore,
    'load' | 'save' | 'modulesOf' | 'page' | 'sweep' | 'dueItems' | 'dropItem' | 'count' | 'counts'
  >;
  /** What the control row allows, as it is known now. */
  readonly gate: { current(): Promise<Gate> };
  /** What is to be redacted in events, and in what was stored before it was. */
  readonly redaction: Redaction;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The hubs' clock, for everything that waits: its times are compared with the hubs' own. */
  readonly hubNow: () => number;
  /** @param number default 1. */
  readonly count: (host: HostName, what: SyncCount, number?: number) => void;
  /** Says what a person should know of: trouble of a hub, a defect. */
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
}
