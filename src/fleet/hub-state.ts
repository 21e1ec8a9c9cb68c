/**
 * Whether a hub receives devices. `cordoned`: no new devices. `draining`: devices also move to other hubs.
 */
export const HUB_STATES = ['active', 'cordoned', 'draining'] as const;
export type HubState = (typeof HUB_STATES)[number];
