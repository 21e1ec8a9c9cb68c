import type { Edge, EdgeDeployment } from './edge.ts';

/** The modules whose desired properties a deployment sets, also in earlier contents that devices may keep. */
export function modulesWithDesired(
  edge: (Pick<Edge, 'deployments'> & Partial<Pick<Edge, 'previous'>>) | undefined,
): ReadonlySet<string> {
  const contents: readonly Pick<EdgeDeployment, 'modules'>[] = [
    ...(edge?.deployments ?? []),
    ...(edge?.previous?.values() ?? []),
  ];
  return new Set(
    contents.flatMap(({ modules }) =>
      [...modules].flatMap(([name, module]) => (module?.desired === undefined ? [] : [name])),
    ),
  );
}
