import type { DpsPort } from '../../../dps/port.ts';
import type { IdentityRegistry } from '../../../hub/identity-registry.ts';
import type { HostName } from '../../../iot-hub/host-name.ts';
import type { SeenDevice } from '../../../silent-devices/next-step.ts';
import type { DisabledDeviceStore } from '../../../store/state/disabled-device-store.ts';
import type { EpochMs } from '../../../time/epoch-ms.ts';
import type { Pace } from './pace.ts';

/** What a run works with while it disables and enables devices. */
export interface DrainTools {
  readonly host: HostName;
  readonly registry: IdentityRegistry;
  readonly dps: Pick<DpsPort, 'registration'>;
  readonly store: Pick<DisabledDeviceStore, 'begin' | 'change' | 'remove'>;
  readonly pace: Pace;
  /** The identity in the hub to which a device has moved. */
  statusThere(host: HostName, deviceId: string): Promise<Exclude<SeenDevice['there'], 'unread'>>;
  readonly waitMs: number;
  readonly now: () => EpochMs;
  /** Ends early when the run is ended. */
  readonly wait: (ms: number) => Promise<void>;
  /** Whether the operator has ended the run. */
  isEnding(): boolean;
  /** Renews the right to disable and enable devices of the hub. @throws BerthError `BERTH_DRAIN_RUNNING` */
  renew(): Promise<void>;
  /** Writes a line about the progress. */
  readonly report: (line: string) => void;
}
