import type { EnrollmentGroup } from '../dps/index.ts';
import type { EventHubOptions } from '../event-hubs/index.ts';
import type { HubSettings, LocalRouting } from '../iot-hub/index.ts';
import type { Ports } from '../options.ts';

/** What the local Azure IoT consists of. */
export interface LocalPlan {
  readonly hubs: readonly PlannedHub[];
  /** The Event Hubs of routes. The built-in endpoints of the hubs are others. */
  readonly eventHubs: readonly EventHubOptions[];
  readonly dps: {
    /** @example '0ne00BE447A' */
    readonly idScope: string;
    readonly host: string;
    /** Classic host names of the hubs that DPS links. */
    readonly linkedHubs: readonly string[];
    readonly groups: readonly EnrollmentGroup[];
  };
  /** Ports that differ from the usual ones. */
  readonly ports: Partial<Ports>;
}

/** A hub with its built-in endpoint and its routes. */
export interface PlannedHub extends HubSettings {
  /** The Azure region that Azure Resource Manager shows. */
  readonly region?: string;
  readonly builtInEndpoint: {
    readonly partitionCount: number;
    /** Besides `$Default`. */
    readonly consumerGroups: readonly string[];
  };
  readonly routing: LocalRouting;
}

/** Partitions of a new hub (iot-hub-scaling.md), and of an Event Hub of the plan. */
export const USUAL_PARTITIONS = 4;

/** The built-in endpoint of a new hub. */
export const NEW_BUILT_IN_ENDPOINT: PlannedHub['builtInEndpoint'] = {
  partitionCount: USUAL_PARTITIONS,
  consumerGroups: [],
};

/**
 * The Event Hub-compatible name of the built-in endpoint of a hub. In Azure it begins like this too, and ends with numbers.
 *
 * @example builtInEventHub('contoso-weu.azure-devices.net') // 'iothub-ehub-contoso-weu'
 */
export function builtInEventHub(host: string): string {
  const [name = host, , cloud] = host.toLowerCase().split('.');
  return ['iothub-ehub', name, ...(cloud === undefined || cloud === 'net' ? [] : [cloud])].join('-');
}
