import { hostName } from '../../iot-hub/host-name.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson, isObject, type JsonObject, type JsonValue, ownEntry } from '../../json/json.ts';
import { parseDuration } from '../../time/duration.ts';
import { isAnswerName } from '../comparison.ts';
import { compileExpression, type Expression, type ExpressionScope } from '../expressions/expression.ts';
import { readable } from '../expressions/expression-value.ts';
import { compileTemplate, type Template, templateReads } from '../expressions/template.ts';
import type {
  AllocationOptions,
  Fleet,
  Hub,
  Layer,
  Models,
  Policy,
  PolicyLeaf,
  Rule,
  RuleEffect,
  Twins,
} from '../fleet.ts';
import { RegionLatencies } from '../region-latencies.ts';
import type { Rollout } from '../rollout.ts';
import type { FleetFile, HubFile, LayerFile, PolicyFile, RuleFile } from '../schema.ts';
import { compileMoveRequest } from './compile-move-request.ts';
import { compileRollout } from './compile-rollout.ts';
import { compileEdge } from './edge/compile-edge.ts';
import { reportedReads } from './reported-reads.ts';

/**
 * Default of `cooldown` if a policy depends on `reported`, so that reports that change quickly do not cause
 * quick writes.
 */
const COOLDOWN_WHEN_REPORTED_MS = 60_000;

/** Compiles a file in which `schema.ts` and `references.ts` found no problems. */
export function compileFleet(file: FleetFile, revision: string, models: Models): Fleet {
  const hubs = file.hubs.map(compileHub);
  const layers = file.twins.initial.map(compileLayer);
  const redact = file.twins.redact.map((path) => path.split('.'));
  const rollout = file.twins.rollout === undefined ? undefined : compileRollout(file.twins.rollout);
  return {
    revision,
    file,
    models,
    hubs,
    hubByHost: new Map(hubs.map((hub) => [hub.host, hub])),
    allocation: compileAllocation(file.allocation, hubs, layers, redact, models),
    twins: compileTwins(file, layers, redact, models, rollout),
    edge: file.edge === undefined ? undefined : compileEdge(file.edge, rollout),
  };
}

function compileHub(hub: HubFile): Hub {
  const host = hostName(hub.host);
  const { region, labels } = hub;
  const facts = readable({ host, region, labels });
  const serviceHost = hub.serviceHost?.toLowerCase() ?? host;
  return { ...hub, host, serviceHost, stamp: hub.stamp, connection: hub.connection, facts };
}

function compileAllocation(
  file: FleetFile['allocation'],
  hubs: readonly Hub[],
  layers: readonly Layer[],
  redact: Paths,
  models: Models,
): AllocationOptions {
  const rules = file.rules.map(compileRule);
  const payload = file.payload === undefined ? undefined : template(file.payload, 'layer');
  const { latency, load, sticky } = file;
  const readsLatency = latency !== undefined || sticky !== undefined;
  return {
    salt: file.salt,
    halfLifeMs: latency?.halfLifeMs,
    loadEpsilon: load?.epsilon,
    fasterByMs: sticky?.moveWhenFasterByMs,
    fasterCause: sticky === undefined ? undefined : fasterCause(hubs, file),
    readsLatency,
    regionLatencies: new RegionLatencies(hubs),
    movesOverMs: milliseconds(file.moves?.over ?? '0s'),
    rules,
    namesParents: rules.some(({ effect }) => effect.kind === 'parent'),
    setsScopes: file.setScopes,
    payload,
    reads: distinct([
      ...rules.flatMap(({ reads }) => reads),
      ...(payload === undefined ? [] : templateReads(payload)),
      ...layers.flatMap((layer) => [
        ...(layer.when?.reads ?? []),
        ...templateReads(layer.tags),
        ...templateReads(layer.desired),
      ]),
      // The model id determines which parts of the initial twin are components.
      ...(Object.keys(models).length > 0 ? [['payload', 'modelId']] : []),
    ]),
    redactedReads: distinct(
      layers.flatMap(({ tags, desired }) =>
        [tags, desired].flatMap((each) => readsInto(each, distinct(redact), [])),
      ),
    ),
  };
}

function fasterCause(hubs: readonly Hub[], { latency, sticky }: FleetFile['allocation']): string {
  const regions = Object.fromEntries(hubs.map(({ host, region }) => [host, region]));
  const facts = {
    regions,
    halfLifeMs: latency?.halfLifeMs ?? null,
    sticky: sticky?.moveWhenFasterByMs ?? null,
  };
  return `faster:${sha256Hex(canonicalJson(facts)).slice(0, 16)}`;
}

/**
 * The paths that expressions of a template read, if their value goes to, above or below one of the given
 * paths.
 *
 * @param near the given paths that are at, above or below `path`
 */
function readsInto(part: Template, near: Paths, path: readonly string[]): Paths {
  if (near.length === 0) return [];
  if (part.kind === 'object') {
    const whole: (readonly string[])[] = [];
    const below = new Map<string, (readonly string[])[]>();
    for (const place of near) {
      const key = place[path.length];
      const places = key === undefined ? whole : (below.get(key) ?? []);
      places.push(place);
      if (key !== undefined) below.set(key, places);
    }
    return part.members.flatMap(([key, member]) =>
      readsInto(member, [...whole, ...(below.get(key) ?? [])], [...path, key]),
    );
  }
  const [read] = templateReads(part);
  // `cfg: "=payload"` with redacted `cfg.psk` copies the whole payload, so `payload.psk` is redacted.
  if (part.kind === 'expression' && part.expression.isPath && read !== undefined) {
    return near.map((place) => [...read, ...place.slice(path.length)]);
  }
  return templateReads(part);
}

function compileRule(rule: RuleFile): Rule {
  const effect = ruleEffect(rule);
  const when = expression(rule.when, 'rule');
  return {
    name: rule.name,
    when,
    whenUnknown: rule.whenUnknown ?? (effect.kind === 'require' ? 'apply' : 'skip'),
    effect,
    reads: [...(when?.reads ?? []), ...(effect.kind === 'parent' ? templateReads(effect.parent) : [])],
  };
}

function ruleEffect(rule: RuleFile): RuleEffect {
  if (rule.require !== undefined) return { kind: 'require', labels: rule.require };
  if (rule.hub !== undefined) return { kind: 'hub', host: hostName(rule.hub) };
  if (rule.deny !== undefined) return { kind: 'deny', reason: rule.deny };
  if (rule.parent !== undefined) return { kind: 'parent', parent: template(rule.parent, 'rule') };
  const factors = Object.entries(rule.prefer ?? {}).map(
    ([host, factor]) => [hostName(host), factor] as const,
  );
  return { kind: 'prefer', factors: new Map(factors) };
}

function compileLayer(layer: LayerFile): Layer {
  return {
    name: layer.name,
    when: expression(layer.when, 'layer'),
    tags: template(layer.tags ?? {}, 'layer'),
    desired: template(layer.desired ?? {}, 'layer'),
  };
}

function compileTwins(
  { hubs, twins: file, allocation }: FleetFile,
  layers: readonly Layer[],
  redact: Paths,
  models: Models,
  rollout: Rollout | undefined,
): Twins {
  const ask = allocation.moves?.ask;
  const moveRequest =
    ask === undefined
      ? undefined
      : compileMoveRequest(
          ask,
          hubs.map(({ host }) => hostName(host)),
        );
  const policies = file.policies.map((policy) => compilePolicy(policy, rollout));
  const scope = expression(file.scope, 'twin');
  return {
    scope,
    redact,
    layers,
    resendsInitial: file.resendInitial,
    policies,
    moveRequest,
    components: new Map(Object.entries(models).map(([id, names]) => [id, new Set(names)])),
    trackedPaths: distinct([
      ...policies.flatMap((policy) => policy.leaves.map((leaf) => leaf.path)),
      ...(moveRequest === undefined ? [] : [moveRequest.leaf.path]),
    ]),
    reportedReads: reportedReads({ scope, policies }),
    previous: new Map(),
    fight: {
      writes: file.fight.writes,
      withinMs: milliseconds(file.fight.within),
      pauseMs: milliseconds(file.fight.pause),
    },
  };
}

function compilePolicy({ rollout, ...policy }: PolicyFile, fleetRollout: Rollout | undefined): Policy {
  const when = expression(policy.when, 'twin');
  const readsReported = when?.reads.some(([variable]) => variable === 'reported') ?? false;
  const cooldown = policy.cooldown === undefined ? undefined : milliseconds(policy.cooldown);
  // The rollout is not part of the content, so that a change of it does not start the rollout again.
  const hash = sha256Hex(canonicalJson(JSON.parse(JSON.stringify(policy)) as JsonValue));
  return {
    name: policy.name,
    hash,
    id: hash.slice(0, 12),
    module: policy.target?.slice('module:'.length),
    when,
    mode: policy.mode,
    leaves: leavesOf(policy.desired as JsonObject, policy.compare),
    tolerance: policy.tolerance,
    cooldownMs: cooldown ?? (readsReported || policy.mode === 'adopt' ? COOLDOWN_WHEN_REPORTED_MS : 0),
    attempts: policy.attempts,
    deadlineMs: milliseconds(policy.deadline),
    confirm: policy.confirm,
    acknowledgement: policy.acknowledgement ?? 'pnp',
    answerNames: answerNames(policy),
    removesOnLeave: policy.onLeave === 'remove',
    rollout: rollout === undefined ? fleetRollout : compileRollout(rollout),
  };
}

function leavesOf(
  json: JsonObject,
  compare: PolicyFile['compare'],
  above: readonly string[] = [],
): readonly PolicyLeaf[] {
  return Object.entries(json).flatMap(([name, value]) => {
    const path = [...above, name];
    if (isObject(value)) return leavesOf(value, compare, path);
    const key = path.join('.');
    const own = isObject(compare) ? ownEntry(compare, key) : compare;
    return [{ path, key, value: template(value, 'twin'), compare: own ?? 'exact' }];
  });
}

/**
 * Paths with the name of an acknowledgement field. `null` means "absent", except in `adopt`, where values
 * only name properties.
 */
function answerNames({ mode, desired }: Pick<PolicyFile, 'mode' | 'desired'>): readonly string[] {
  const namesIn = (json: JsonObject, above: readonly string[]): readonly string[] =>
    Object.entries(json).flatMap(([name, value]) => {
      if (value === null && mode !== 'adopt') return [];
      const path = [...above, name];
      const own = isAnswerName(name) ? [path.join('.')] : [];
      return isObject(value) ? [...own, ...namesIn(value, path)] : own;
    });
  return namesIn(desired as JsonObject, []);
}

function expression(source: string | undefined, scope: ExpressionScope): Expression | undefined {
  if (source === undefined) return undefined;
  const compiled = compileExpression(source, scope);
  if (!compiled.ok) throw new Error(`${source}: ${compiled.problem}`);
  return compiled.expression;
}

function template(json: unknown, scope: ExpressionScope): Template {
  return compileTemplate(json as JsonValue, scope, []);
}

type Paths = readonly (readonly string[])[];

function distinct(paths: Paths): Paths {
  return [...new Map(paths.map((path) => [path.join('\n'), path])).values()];
}

/** Converts a duration that the schema has checked. */
function milliseconds(text: string): number {
  return parseDuration(text) ?? 0;
}
