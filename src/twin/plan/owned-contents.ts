import type { Variables } from '../../fleet/expressions/expression.ts';
import type { ExpressionWork } from '../../fleet/expressions/expression-work.ts';
import type { Policy, Twins } from '../../fleet/fleet.ts';
import { type ContentChoice, REACHED, type RolloutDevice } from '../../rollout/content-choice.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Contents, contentsFor, givenContent, rolloutDeviceOf } from './contents.ts';
import { type OwnedLeaf, ownedLeaves } from './ownership.ts';

/** The contents that apply to a twin, and the properties that they own. */
export interface OwnedContents {
  readonly contents: Contents;
  readonly owned: readonly OwnedLeaf[];
}

interface ContentsInput {
  readonly snapshot: Snapshot;
  readonly twins: Pick<Twins, 'policies'>;
  /** Default: the content of the fleet file. */
  contentOf?(policy: Policy, device: RolloutDevice): ContentChoice;
}

/**
 * What applies to a twin, and what it owns there. A twin keeps a content that had reached it and set nothing there, only as
 * long as this is so. If the content would own a property now, it is chosen again as for a device that has nothing of it.
 */
export function ownedContents(
  { snapshot, twins, contentOf }: ContentsInput,
  variables: Variables,
  work: ExpressionWork,
): OwnedContents {
  const notKept = new Set<string>();
  for (;;) {
    const device = rolloutDeviceOf(snapshot, variables, work, notKept);
    const contents = contentsFor(twins.policies, snapshot.id.moduleId, (policy) =>
      contentOf === undefined ? REACHED : contentOf(policy, device),
    );
    const owned = ownedLeaves(snapshot, contents.policies, variables, work, contents.rolledBack);
    const kept = contents.choices.flatMap(([policy, choice]) =>
      'isKept' in choice ? (givenContent(policy, choice) ?? []) : [],
    );
    const owning = kept.filter((content) => owned.some(({ policy }) => policy === content));
    if (owning.length === 0) return { contents, owned };
    for (const { id } of owning) notKept.add(id);
  }
}
