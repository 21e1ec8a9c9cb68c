import type { Expression } from './expressions/expression.ts';
import type { Template } from './expressions/template.ts';

/** A content that a rollout brings to the devices: of a policy, or of a deployment of IoT Edge. */
export interface RolloutContent {
  readonly name: string;
  /** SHA-256 of the content, with its name. */
  readonly hash: string;
  /** The first 12 digits of `hash`. */
  readonly id: string;
  /** Undefined: it reaches all devices at once. */
  readonly rollout: Rollout | undefined;
  /** Only of policies. */
  readonly mode?: string;
  /** Only of policies: the targeted module. */
  readonly module?: string | undefined;
  /** Only of values of app settings. They have no previous content: a value that has changed cannot be given back. */
  readonly settings?: SettingHashes;
}

/** Identifies the values of settings, without the values. */
export interface SettingHashes {
  /** Identifies the key of the hashes. Hashes of two keys cannot be compared. */
  readonly key: string;
  /** The keyed hash of each value, by the name of the setting. */
  readonly values: Readonly<Record<string, string>>;
}

/** How a new content of a policy reaches the devices. Both forms of the file are compiled to stages. */
export interface Rollout {
  /** At least one. The last one holds every device. */
  readonly stages: readonly [Stage, ...Stage[]];
  readonly gate: RolloutGate;
  readonly onFailure: 'pause' | 'rollback';
  /** The Entra sign-in names that may approve. Empty: every operator. */
  readonly approvers: readonly string[];
  /** When a device may get its first write. Undefined: always. */
  readonly window: Window | undefined;
  /** The file has the form with `over`: one stage, and a failed gate pauses the whole policy. */
  readonly isShort: boolean;
}

/** One stage. It holds the devices that match `where`, or a share of all devices. */
export interface Stage {
  readonly name: string;
  readonly where: Expression | undefined;
  /** From 0 to 1. 0 for a stage with `where`. */
  readonly share: number;
  /** The largest share of an earlier stage. */
  readonly shareBefore: number;
  readonly atLeastMs: number;
  /** In which time the stage reaches its devices. 0: at once. */
  readonly overMs: number;
  /** The stage begins only after an approval. */
  readonly isApproved: boolean;
}

/** What a stage must show before the next one begins. */
export interface RolloutGate {
  /** Least share of the devices that take part and are in sync. */
  readonly inSync: number;
  /** Greatest share of the devices with a result that reject a value or are lost. */
  readonly rejected: number;
  /** The number of results that the gate needs, or all devices that take part if they are fewer. */
  readonly sample: number;
  /** After this time without a sign of life since its first write, a device is lost. */
  readonly deadlineMs: number;
}

/** A part of the day in the time zone of the device. It may pass midnight. */
export interface Window {
  /** Minutes from local midnight. */
  readonly from: number;
  readonly to: number;
  /** An IANA name, or an expression that gives one. */
  readonly timeZone: Template;
  /** The time zone of a device whose time zone is unknown. */
  readonly otherwise: string;
}

/** The least time that a rollout takes, ms: approvals, gates and pauses come on top. */
export function leastDuration({ stages }: Rollout): number {
  return stages.reduce((sum, stage) => sum + leastTime(stage), 0);
}

/** The least time of a stage, ms. */
export function leastTime({ atLeastMs, overMs }: Pick<Stage, 'atLeastMs' | 'overMs'>): number {
  return Math.max(atLeastMs, overMs);
}
