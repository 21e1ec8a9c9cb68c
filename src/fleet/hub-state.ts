/** Whether a hub takes devices: `cordoned` takes no new ones, from `draining` they move away. */
export const HUB_STATES = ['active', 'cordoned', 'draining'] as const;
export type HubState = (typeof HUB_STATES)[number];
