import type { Expression } from '../fleet/expressions/expression.ts';
import type { Policy } from '../fleet/fleet.ts';
import type { RolloutContent, Window } from '../fleet/rollout.ts';
import type { HostName } from '../iot-hub/host-name.ts';
import type { EpochMs } from '../time/epoch-ms.ts';

/** Why a policy may not write to a twin now, and until when. `until` is undefined: until an operator acts. */
export interface Hold {
  readonly why: string;
  readonly until: EpochMs | undefined;
}

/** What a device gets of a policy or of a deployment. */
export type ContentChoice<Content extends RolloutContent = Policy> =
  /** The content of the fleet file. */
  | ({ readonly kind: 'new'; readonly stage: string | undefined } & Reach)
  /** The content from before the rollout, because the rollout has not reached the device. */
  | ({
      readonly kind: 'previous';
      readonly policy: Content;
      readonly stage: string | undefined;
      readonly hold: Hold;
    } & Reach)
  /** Nothing: the rollout has not reached the device, and there is no previous content. */
  | { readonly kind: 'nothing'; readonly stage: string | undefined; readonly hold: Hold }
  /**
   * The values from before a rollout, because it was rolled back.
   *
   * `rolledBack`: its content. `policy`: the content before it. Undefined: there is none.
   * `awaits`: another content before it, which reaches the device at this time.
   * `hold`: an earlier content was rolled back, and the content of the fleet file has not reached the device.
   */
  | ({
      readonly kind: 'back';
      readonly rolledBack: Content;
      readonly policy: Content | undefined;
      readonly stage: string | undefined;
      readonly awaits?: { readonly policy: Content; readonly until: EpochMs };
      readonly hold?: Hold;
    } & Reach);

/** How a rollout has brought a content to a device. */
export interface Reach {
  /**
   * The device does not have the content yet, and may get it only because its maintenance window is open. The window closes
   * then, and the choice may change.
   */
  readonly closesAt?: EpochMs;
  /** In a pause or after the window, a device that has nothing of the content could get another one in its place. */
  readonly mayFallBack?: true;
  /** The device could not get the content now. It keeps it, because the content had reached it and set nothing there. */
  readonly isKept?: true;
}

/** The choice of a device that the content has reached, outside of stages. */
export const REACHED: Extract<ContentChoice, { kind: 'new' }> = { kind: 'new', stage: undefined };

/** A device, as far as it decides what the device gets of a policy or of a deployment. */
export interface RolloutDevice<Content extends RolloutContent = Policy> {
  readonly host: HostName;
  readonly deviceId: string;
  /** Whether it matches the condition of a stage. An unknown condition does not match. */
  matches(where: Expression): boolean;
  /** Its time zone; another value than a text if it is unknown. */
  timeZone(window: Window): unknown;
  /** Whether it has the content already: by a write after this time, or because it is in sync with it. */
  hasContent(policy: Content, since: EpochMs): boolean;
  /** Whether the content has reached the device before, and sets nothing there. So the device has nothing of it. */
  wasReached(policy: Content): boolean;
}
