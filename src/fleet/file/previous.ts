import type { EdgeDeployment } from '../edge/edge.ts';
import type { Fleet, Policy, PolicyLeaf } from '../fleet.ts';
import { PathTree } from './path-tree.ts';
import { reportedReads } from './reported-reads.ts';

/**
 * A fleet with earlier contents of its policies, which devices keep until a rollout reaches them. The histories of their
 * properties are kept too, and a report of a property that they read or own is not skipped.
 *
 * A property of an earlier content is left out if it lies above or below a property of another policy of this file, if it
 * meets the property of the move request, or if the file redacts it: two policies cannot write such properties to one twin.
 */
export function withPrevious(
  fleet: Fleet,
  contents: readonly Policy[],
  deployments: readonly EdgeDeployment[] = [],
): Fleet {
  const { twins } = fleet;
  const edge = fleet.edge && {
    ...fleet.edge,
    previous: new Map(deployments.map((deployment) => [deployment.hash, deployment])),
  };
  const redacted = new PathTree<true>();
  for (const path of twins.redact) redacted.add(path, true);
  const taken: [Policy, PolicyLeaf][] = [];
  for (const policy of twins.policies) for (const leaf of policy.leaves) taken.push([policy, leaf]);
  const asked = new PathTree<true>();
  if (twins.moveRequest !== undefined) asked.add(twins.moveRequest.leaf.path, true);
  const previous = new Map<string, Policy>();
  for (const content of contents) {
    const others = treeOf(taken, content);
    const leaves = content.leaves.filter(
      ({ path }) =>
        redacted.along(path) === undefined &&
        others.aboveOrBelow(path) === undefined &&
        (content.module !== undefined || asked.along(path) === undefined),
    );
    previous.set(content.hash, { ...content, leaves });
    for (const leaf of leaves) taken.push([content, leaf]);
  }
  const tracked = [
    ...twins.trackedPaths,
    ...[...previous.values()].flatMap(({ leaves }) => leaves.map(({ path }) => path)),
  ];
  const trackedPaths = [...new Map(tracked.map((path) => [path.join('\n'), path])).values()];
  const reads = reportedReads({ scope: twins.scope, policies: [...twins.policies, ...previous.values()] });
  return { ...fleet, edge, twins: { ...twins, previous, trackedPaths, reportedReads: reads } };
}

/** The paths of the policies with the same target and another name. */
function treeOf(taken: readonly (readonly [Policy, PolicyLeaf])[], { name, module }: Policy): PathTree<true> {
  const tree = new PathTree<true>();
  for (const [policy, { path }] of taken) {
    if (policy.name !== name && policy.module === module) tree.add(path, true);
  }
  return tree;
}
