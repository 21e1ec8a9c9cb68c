import { createHash } from 'node:crypto';
import * as z from 'zod';

/** The faults of IoT Edge: of the hub, and of simulated Edge devices. A text matches if it is part of the other one. */
export const EDGE_FAULTS = z.strictObject({
  /** Manifests that the hub refuses with 409402. */
  applyConflictRate: z.number().min(0).max(1).optional(),
  /** Calls of devices about their modules that the hub refuses with 429. */
  identityThrottleRate: z.number().min(0).max(1).optional(),
  /** The share of Edge devices that have the faults below. The seed decides which. */
  share: z.number().min(0).max(1).default(1),
  /** Pulls of images with this text fail. */
  pullFails: z.string().min(1).optional(),
  /** Modules with this name, or with this text in their image, end soon after each start. */
  crashes: z.string().min(1).optional(),
  /** The device refuses every manifest with 400. */
  invalid: z.boolean().default(false),
  /** The device has no connection. Its modules run on. */
  offline: z.boolean().default(false),
  /** The device loses its connection once it has applied a manifest with this text. */
  killedBy: z.string().min(1).optional(),
});

export type EdgeFaults = z.output<typeof EDGE_FAULTS>;

export const NO_EDGE_FAULTS: EdgeFaults = { share: 1, invalid: false, offline: false };

/** The faults of one device. The same seed gives the same devices. */
export function edgeFaultsOf(faults: EdgeFaults | undefined, seed: number, deviceId: string): EdgeFaults {
  if (faults === undefined) return NO_EDGE_FAULTS;
  const digest = createHash('sha256')
    .update(JSON.stringify([seed, 'edge', deviceId]))
    .digest();
  return digest.readUInt32BE() / 2 ** 32 < faults.share ? faults : NO_EDGE_FAULTS;
}
