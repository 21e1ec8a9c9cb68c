/*
 * The types of what the HTTP functions answer: the contract with their clients, of which the console is one. Clients import
 * types from here and nothing else.
 */

export type { AllocateAnswer } from './allocation.ts';
export type { AttentionPage } from './attention.ts';
export type { DeviceHistory, DeviceMoment, DeviceStatus } from './device.ts';
export type { FleetStatus, HubLivenessAnswer } from './fleet.ts';
export type { HealthAnswer, HealthDetail } from './health.ts';
export type { DeadLetterAnswer, DeadLetterList, DevicePage, QueuePage } from './lists.ts';
export type { ReceiptAnswer } from './receipt.ts';
export type { Series } from './series.ts';
export type { ErrorAnswer } from './values.ts';
