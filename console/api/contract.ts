/* The types of the HTTP API, under the names that the console uses. */
import type { DeviceStatus, FleetStatus } from '../../src/api/contract.ts';

export type {
  AttentionPage,
  DeadLetterAnswer,
  DeadLetterList,
  DeviceHistory,
  DeviceMoment,
  DevicePage,
  DeviceStatus,
  FleetStatus,
  QueuePage,
  ReceiptAnswer,
  Series,
} from '../../src/api/contract.ts';

export type HubStatus = FleetStatus['hubs'][number];
export type PolicyStatusRow = FleetStatus['policies'][number];
/** A rollout in stages. */
export type StagedRollout = FleetStatus['rollouts'][number];
export type RolloutStage = StagedRollout['stages'][number];
export type PauseStatus = NonNullable<FleetStatus['pause']>;
export type TwinOfDevice = DeviceStatus['twins'][number];
/** An IoT Edge device, by the reports of its `$edgeAgent`. */
export type EdgeOfTwin = NonNullable<TwinOfDevice['edge']>;
export type EdgeModuleRow = EdgeOfTwin['modules'][number];
/** All IoT Edge devices and deployments of the fleet. */
export type EdgeOfFleet = NonNullable<FleetStatus['edge']>;
export type EdgeDeploymentRow = EdgeOfFleet['deployments'][number];
export type OwnedProperty = TwinOfDevice['paths'][number];
