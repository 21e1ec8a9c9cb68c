import type { ArmPort } from '../arm/port.ts';
import type { JsonObject } from '../json/json.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/** What reading and changing hubs and DPS needs. */
export interface Session {
  readonly arm: ArmPort;
  /** The answer of "Providers - Get" for Microsoft.Devices in a subscription. It is asked once. */
  readonly provider: (subscription: string) => Promise<JsonObject>;
  readonly now: () => EpochMs;
  /** Waits, in milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
  /** How long to try again, in milliseconds. A new role takes minutes until it works. */
  readonly patienceMs: number;
  /** Members that `unknownFeatures` may find, because the operator accepts that a write may remove them. */
  readonly ignoredFeatures: readonly string[];
  /** Called before each wait, with the reason in one line. */
  readonly onWaiting: (line: string) => void;
}
