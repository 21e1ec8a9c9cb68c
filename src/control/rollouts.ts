import type { Policy } from '../fleet/fleet.ts';
import type { Rollout, RolloutContent } from '../fleet/rollout.ts';
import { ownEntry } from '../json/json.ts';
import {
  type ContentChoice,
  type Hold,
  REACHED,
  type Reach,
  type RolloutDevice,
} from '../rollout/content-choice.ts';
import { reachedAfterMs, rolloutPlace, stageIndexOf } from '../rollout/stages.ts';
import { nextClosing, nextOpening } from '../rollout/window.ts';
import { type EpochMs, laterOf, plus } from '../time/epoch-ms.ts';
import type { Control } from './control.ts';
import { elapsedSince } from './elapsed.ts';
import { pauseFor } from './pauses.ts';
import { type PresentStage, presentStage } from './present-stage.ts';

/** Why a policy may not write to a twin now: an operator, or Berth itself, has paused it. */
export function holdOf(control: Control, { name }: Pick<Policy, 'name'>): Hold | undefined {
  const pause = pauseFor(control, { kind: 'policy', name });
  return pause === undefined
    ? undefined
    : { why: `the policy is paused by ${pause.author}: ${pause.reason}`, until: undefined };
}

/** The earlier contents that rollouts need, by hash. */
export interface EarlierContents<Content extends RolloutContent> {
  get(hash: string): Content | undefined;
  /** Whether a content was looked for, and cannot be read: its stored fleet file is missing or damaged. Default: none was. */
  readonly isUnreadable?: (hash: string) => boolean;
}

/**
 * What a device gets of a policy now. All instances compute the same from the control row, without communication. It costs
 * one hash while a rollout runs, and none otherwise.
 */
export function contentOf<Content extends RolloutContent>(
  control: Control,
  policy: Content,
  device: RolloutDevice<Content>,
  previous: EarlierContents<Content>,
  now: EpochMs,
): ContentChoice<Content> {
  const asked = { control, device, previous, now };
  return contentIn(asked, policy, MOST_CONTENTS);
}

/** How many contents of a policy may be in a rollout one after the other. */
const MOST_CONTENTS = 8;

interface Asked<Content extends RolloutContent> {
  readonly control: Control;
  readonly device: RolloutDevice<Content>;
  readonly previous: EarlierContents<Content>;
  readonly now: EpochMs;
}

function contentIn<Content extends RolloutContent>(
  asked: Asked<Content>,
  policy: Content,
  contentsLeft: number,
): ContentChoice<Content> {
  const { control, device, now } = asked;
  const { rollout, hash: content } = policy;
  const state = ownEntry(control.rollouts, content);
  if (policy.mode === 'observe') return REACHED;
  if (policy.settings !== undefined && ownEntry(control.seen, content)?.leftAt !== undefined) {
    const hold = { why: 'another instance has newer values of the settings', until: plus(now, 60_000) };
    return { kind: 'nothing', stage: undefined, hold };
  }
  if (state?.end?.kind === 'rolledBack') return contentBack(asked, policy, contentsLeft);
  if (rollout === undefined || isImmediate(rollout)) return REACHED;
  const present = presentStage(control, policy, rollout);
  if (present.kind === 'complete' && rollout.window === undefined) return REACHED;
  const seen = ownEntry(control.seen, content);
  if (seen === undefined) {
    // An earlier content that is no longer remembered had reached every device.
    if (contentsLeft < MOST_CONTENTS) return REACHED;
    const hold = { why: 'the policy is new, and its rollout has not begun', until: plus(now, 60_000) };
    return { kind: 'nothing', stage: undefined, hold };
  }
  const place = rolloutPlace(device.deviceId, content);
  const index = stageIndexOf(rollout, place, device.matches);
  const stage = rollout.isShort ? undefined : rollout.stages[index]?.name;
  const hold = holdInStage(asked, { policy, rollout, present, place, index });
  const { window } = rollout;
  const isThere = (hold !== undefined || window !== undefined) && device.hasContent(policy, seen.since);
  const isKept = hold !== undefined && !isThere && device.wasReached(policy);
  if (hold !== undefined && !isThere && !isKept)
    return unreached(asked, { policy, stage, hold, contentsLeft });
  const staysOpen = isThere || isKept || window === undefined;
  return {
    kind: 'new',
    stage,
    ...reach({
      closesAt: staysOpen ? undefined : nextClosing(window, device.timeZone(window), now),
      mayFallBack: mayFallBack(asked, policy, present, contentsLeft) || undefined,
      isKept: isKept || undefined,
    }),
  };
}

/** Whether a device that has nothing of the content gets another one while the content is held. */
function mayFallBack<Content extends RolloutContent>(
  asked: Asked<Content>,
  policy: Content,
  present: PresentStage,
  contentsLeft: number,
): boolean {
  // The content of the fleet file would hold the properties.
  if (contentsLeft < MOST_CONTENTS) return true;
  const { before, isMissing } = contentBefore(asked, policy, contentsLeft);
  return present.kind !== 'complete' && (before !== undefined || isMissing);
}

/** Without undefined members. */
function reach(parts: { readonly [Member in keyof Reach]: Reach[Member] | undefined }): Reach {
  const { closesAt, isKept } = parts;
  return {
    ...(closesAt === undefined ? {} : { closesAt }),
    ...(parts.mayFallBack === undefined ? {} : { mayFallBack: true }),
    ...(isKept === undefined ? {} : { isKept }),
  };
}

interface Placed {
  readonly policy: RolloutContent;
  readonly rollout: Rollout;
  readonly present: PresentStage;
  readonly place: number;
  readonly index: number;
}

/** Why the rollout has not reached a device. Undefined: it has. */
function holdInStage<Content extends RolloutContent>(
  asked: Asked<Content>,
  { policy, rollout, present, place, index }: Placed,
): Hold | undefined {
  const { control, device, now } = asked;
  const state = ownEntry(control.rollouts, policy.hash);
  const own = rollout.stages[index];
  if (own === undefined) return undefined;
  const stageText = rollout.isShort ? 'the rollout of the policy' : `stage ${own.name} of the rollout`;
  if (state?.end !== undefined)
    return { why: 'the rollout was aborted before it reached this twin', until: undefined };
  if (state?.pause !== undefined) {
    const { author, reason } = state.pause;
    return { why: `the rollout is paused by ${author}: ${reason}`, until: undefined };
  }
  const isPast = 'index' in present && index < present.index;
  const isDone = isPast || (index < rollout.stages.length - 1 && state?.done.includes(own.name) === true);
  if (present.kind === 'waiting' && !isDone)
    return { why: whyWaits(present, index, stageText), until: undefined };
  if (present.kind === 'running') {
    if (!isDone && index > present.index) {
      return { why: `${stageText} has not begun; the present stage is ${present.name}`, until: undefined };
    }
    const after = reachedAfterMs(own, place);
    const elapsed = isDone ? undefined : elapsedSince(control, policy, present.since, device.host, now);
    if (elapsed !== undefined && own.overMs > elapsed && after >= elapsed) {
      // The first whole millisecond in which `after < elapsed`.
      const until = standsStill(control, policy) ? undefined : plus(now, Math.floor(after) + 1 - elapsed);
      return { why: `${stageText} has not reached this twin`, until };
    }
  }
  const opens = rollout.window && nextOpening(rollout.window, device.timeZone(rollout.window), now);
  return opens && { why: 'the maintenance window of the device is closed', until: opens };
}

function whyWaits(
  { index: next, stage, needsApproval }: Extract<PresentStage, { kind: 'waiting' }>,
  index: number,
  stageText: string,
): string {
  if (needsApproval !== undefined) return `the rollout waits for the approval of stage ${stage}`;
  return `${stageText} has not begun${index === next ? '' : `; the next stage is ${stage}`}`;
}

/**
 * Whether a rollout does not go on before every twin is planned again: its policy is paused, or its content is no longer in the
 * fleet file. A pause of a hub ends without that, and stops the work queue of the hub.
 */
function standsStill(control: Control, { name, hash: content }: RolloutContent): boolean {
  const isPaused = pauseFor(control, { kind: 'policy', name }) !== undefined;
  return isPaused || ownEntry(control.seen, content)?.leftAt !== undefined;
}

/** Whether a rollout reaches every device at once. Stages also have a gate. */
function isImmediate({ stages, window, isShort }: Rollout): boolean {
  return isShort && stages[0].overMs === 0 && window === undefined;
}

interface Unreached<Content> {
  readonly policy: Content;
  readonly stage: string | undefined;
  readonly hold: Hold;
  readonly contentsLeft: number;
}

/** A device that a rollout has not reached keeps what it gets of the content before. */
function unreached<Content extends RolloutContent>(
  asked: Asked<Content>,
  { policy, stage, hold, contentsLeft }: Unreached<Content>,
): ContentChoice<Content> {
  const { before, isMissing, isUnreadable } = contentBefore(asked, policy, contentsLeft);
  if (before === undefined) {
    // A content that cannot be read is not awaited: each twin would be planned and stored every minute. When it can be read,
    // `resyncFleet` plans all twins again.
    const isAwaited = isMissing && isUnreadable !== true;
    const until = isAwaited ? laterOf(hold.until ?? asked.now, plus(asked.now, 60_000)) : hold.until;
    const why = isUnreadable === true ? `${hold.why}; the earlier content cannot be read` : hold.why;
    return { kind: 'nothing', stage, hold: { why, until } };
  }
  const choice = contentIn(asked, before, contentsLeft - 1);
  switch (choice.kind) {
    case 'new':
      return { ...choice, kind: 'previous', policy: before, stage, hold };
    case 'previous':
    case 'nothing':
      return { ...choice, stage, hold: earlierHold(hold, choice.hold) };
    case 'back':
      return { ...choice, stage, hold: choice.hold === undefined ? hold : earlierHold(hold, choice.hold) };
  }
}

/** The hold of the newer content. The twin is looked at again when the first of the two ends. */
function earlierHold(hold: Hold, { until }: Hold): Hold {
  if (until === undefined) return hold;
  return hold.until !== undefined && hold.until <= until ? hold : { ...hold, until };
}

/**
 * What a device gets of a content that was rolled back: what it had before. `contentsLeft` ends a circle of contents that
 * replaced each other.
 */
function contentBack<Content extends RolloutContent>(
  asked: Asked<Content>,
  policy: Content,
  contentsLeft: number,
): ContentChoice<Content> {
  const { control, device, now } = asked;
  const { hash: content, rollout } = policy;
  const end = ownEntry(control.rollouts, content)?.end;
  const place = rolloutPlace(device.deviceId, content);
  const index = rollout === undefined ? 0 : stageIndexOf(rollout, place, device.matches);
  const stage = rollout?.isShort === false ? rollout.stages[index]?.name : undefined;
  if (end?.stage !== undefined && rollout !== undefined) {
    const present = rollout.stages.findIndex(({ name }) => name === end.stage?.name);
    const since = ownEntry(control.seen, content)?.since ?? now;
    if (index > present && device.hasContent(policy, since)) {
      const why = `the rollback has not reached stage ${stage}; its present stage is ${end.stage.name}`;
      return { kind: 'nothing', stage, hold: { why, until: undefined } };
    }
  }
  const { before } = contentBefore(asked, policy, contentsLeft);
  const back = { kind: 'back', rolledBack: policy, stage } as const;
  if (before === undefined) return { ...back, policy: undefined };
  const choice = contentIn(asked, before, contentsLeft - 1);
  const until = 'hold' in choice ? choice.hold?.until : undefined;
  const awaits = until === undefined ? {} : { awaits: { policy: before, until } };
  switch (choice.kind) {
    case 'new':
      return { ...back, policy: before, ...reach(choice) };
    case 'previous':
      return { ...back, policy: choice.policy, ...awaits, ...reach(choice) };
    case 'back':
      return {
        ...back,
        policy: choice.policy,
        ...(choice.awaits === undefined ? {} : { awaits: choice.awaits }),
        ...awaits,
        ...reach(choice),
      };
    case 'nothing':
      return { ...back, policy: undefined, ...awaits };
  }
}

/** The content that a policy replaced. `isMissing`: it exists, and this instance has not read it yet, or cannot read it. */
function contentBefore<Content extends RolloutContent>(
  { control, previous }: Asked<Content>,
  { hash: content, module }: Content,
  contentsLeft: number,
): { readonly before: Content | undefined; readonly isMissing: boolean; readonly isUnreadable?: boolean } {
  const hash = ownEntry(control.seen, content)?.previous;
  if (hash === undefined || contentsLeft <= 1) return { before: undefined, isMissing: false };
  // Without its revision it cannot be read: a package without previous contents has stored it, or it is forgotten.
  if (ownEntry(control.seen, hash)?.revision === undefined) return { before: undefined, isMissing: false };
  const before = previous.get(hash);
  // A policy that targets another module now is another policy to the twins.
  if (before !== undefined && before.module !== module) return { before: undefined, isMissing: false };
  if (before !== undefined) return { before, isMissing: false };
  return { before, isMissing: true, isUnreadable: previous.isUnreadable?.(hash) === true };
}

/** An earlier content that rollouts need, and the fleet revision that holds it. */
export interface ContentToRead {
  readonly content: string;
  readonly name: string;
  readonly revision: string;
}

/** The earlier contents that devices may get now: those before a content whose rollout is not complete. */
export function contentsToRead(
  control: Control,
  policies: readonly RolloutContent[],
): readonly ContentToRead[] {
  const found = new Map<string, ContentToRead>();
  for (const { hash: content, rollout } of policies) {
    if (rollout === undefined && control.rollouts[content]?.end === undefined) continue;
    let at = content;
    for (let left = MOST_CONTENTS; left > 1; left -= 1) {
      if (control.rollouts[at]?.completedAt !== undefined) break;
      const hash = control.seen[at]?.previous;
      const entry = hash === undefined ? undefined : ownEntry(control.seen, hash);
      if (hash === undefined || entry?.revision === undefined || found.has(hash)) break;
      found.set(hash, { content: hash, name: entry.name, revision: entry.revision });
      at = hash;
    }
  }
  return [...found.values()];
}
