import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../json/json.ts';
import { PathTree } from '../path-tree.ts';
import { registryName } from './compile-edge.ts';

type Report = (path: readonly PropertyKey[], message: string) => void;

/**
 * Checks that the parts of `edge` fit together and to the policies. Like `fleetReferenceProblems`, it reads the raw JSON and
 * ignores values of the wrong shape.
 */
export function edgeReferenceProblems(
  edge: JsonValue | undefined,
  policies: readonly JsonValue[],
  problem: Report,
): void {
  const deployments = items(ownMember(edge, 'deployments'));
  checkRegistries(items(ownMember(edge, 'registries')), problem);
  checkDeploymentNames(deployments, policies, problem);
  checkSharedPaths(deployments, policies, problem);
}

function checkRegistries(registries: readonly JsonValue[], problem: Report): void {
  const names = new Set<string>();
  const addresses = new Set<string>();
  registries.forEach((registry, index) => {
    const address = ownMember(registry, 'address');
    const name = ownMember(registry, 'name');
    if (typeof address !== 'string') return;
    const key = registryName({ name: typeof name === 'string' ? name : undefined, address });
    if (addresses.has(address.toLowerCase())) {
      problem(
        ['edge', 'registries', index, 'address'],
        `is "${address}", which is listed twice: keep one, because a device uses the first`,
      );
    } else if (names.has(key)) {
      problem(
        ['edge', 'registries', index, 'name'],
        `is "${key}", which is already used: write another name`,
      );
    }
    addresses.add(address.toLowerCase());
    names.add(key);
  });
}

/** Rollouts, pauses and commands name policies and deployments alike. */
function checkDeploymentNames(
  deployments: readonly JsonValue[],
  policies: readonly JsonValue[],
  problem: Report,
): void {
  const ofPolicies = new Set(policies.map((policy) => ownMember(policy, 'name')));
  const seen = new Set<JsonValue>();
  deployments.forEach((deployment, index) => {
    const name = ownMember(deployment, 'name');
    if (typeof name !== 'string') return;
    const path = ['edge', 'deployments', index, 'name'];
    if (seen.has(name)) problem(path, `is "${name}", which is already used: use another name`);
    else if (ofPolicies.has(name)) {
      problem(
        path,
        `is "${name}", which is the name of a policy: use another name, because rollouts and pauses name both`,
      );
    }
    seen.add(name);
  });
}

/** Each apply replaces all desired properties of a module that the manifest has, so a policy cannot own the same ones. */
function checkSharedPaths(
  deployments: readonly JsonValue[],
  policies: readonly JsonValue[],
  problem: Report,
): void {
  const owned = new Map<string, PathTree<Owned>>();
  for (const policy of policies) {
    const target = ownMember(policy, 'target');
    const desired = ownMember(policy, 'desired');
    if (typeof target !== 'string' || !target.startsWith('module:') || !isObject(desired)) continue;
    const module = target.slice('module:'.length);
    const paths = owned.get(module) ?? new PathTree<Owned>();
    owned.set(module, paths);
    for (const path of leafPaths(desired))
      paths.add(path, { policy: String(ownMember(policy, 'name')), path });
  }
  if (owned.size === 0) return;
  deployments.forEach((deployment, index) => {
    const modules = ownMember(deployment, 'modules');
    for (const [name, module] of Object.entries(isObject(modules) ? modules : {})) {
      const desired = ownMember(module, 'desired');
      const paths = owned.get(name);
      if (paths === undefined || !isObject(desired)) continue;
      for (const path of leafPaths(desired)) {
        const other = paths.along(path);
        if (other === undefined) continue;
        problem(
          ['edge', 'deployments', index, 'modules', name, 'desired', ...path],
          `is also set by the policy "${other.policy}" (${other.path.join('.')}): set it in one of the two, because each apply of the deployment replaces it`,
        );
      }
    }
  });
}

interface Owned {
  readonly policy: string;
  readonly path: readonly string[];
}

function leafPaths(json: JsonObject, above: readonly string[] = []): readonly (readonly string[])[] {
  return Object.entries(json).flatMap(([key, value]) =>
    isObject(value) && Object.keys(value).length > 0 ? leafPaths(value, [...above, key]) : [[...above, key]],
  );
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
