import type { ErrorDetail } from '../../errors.ts';
import type { JsonObject } from '../../json/json.ts';
import type { Fleet, Hub, Rule } from '../fleet.ts';
import { asciiJson } from './ascii-json.ts';
import {
  type Effect,
  effectOf,
  type Facts,
  merged,
  readableFacts,
  SILENT_DEVICE,
  withValue,
} from './facts.ts';
import { conditionTerms, honestFacts } from './honest-facts.ts';
import { OTHER_TEXT } from './sample-facts.ts';

/** The number of devices that are tried for each rule. */
const PER_RULE = 2;
/** With at most this many rules, devices that match two rules are tried too. */
const MAX_PAIRED = 12;

/**
 * Warnings about rules that together leave no hub for a device that hides its inputs. An unknown `require`
 * applies, so two rules that never match the same device both apply to a device that hides the inputs that
 * they read.
 */
export function excludingRules(fleet: Fleet): readonly ErrorDetail[] {
  const placing = fleet.allocation.rules.filter(
    ({ effect }) => effect.kind === 'require' || effect.kind === 'hub',
  );
  if (placing.length < 2) return [];
  const reported: ReadonlySet<string>[] = [];
  const details: ErrorDetail[] = [];
  for (const { facts, isHidden } of devicesToTry(placing)) {
    const found = exclusionFor(facts, fleet);
    if (found === undefined || !(isHidden || found.some(({ effect }) => effect === 'unknown'))) continue;
    const names = new Set(found.map(({ rule }) => rule.name));
    if (reported.some((earlier) => [...names].every((name) => earlier.has(name)))) continue;
    reported.push(names);
    details.push({ path: 'allocation.rules', message: warning(names, facts) });
  }
  return details;
}

interface Applied {
  readonly rule: Rule;
  readonly effect: Effect;
}

interface Device {
  readonly facts: Facts;
  /** It sends no input that a rule can decide. */
  readonly isHidden: boolean;
}

function* devicesToTry(rules: readonly Rule[]): Generator<Device> {
  yield { facts: SILENT_DEVICE, isHidden: true };
  const known = rules.map(({ when }) => (when === undefined ? undefined : conditionTerms(when)));
  const paths = known.flatMap((terms) => terms?.paths ?? []).map(({ path }) => path);
  const ofPayload = paths.filter(([variable, key]) => variable === 'payload' && key !== undefined);
  for (const value of [null, '', OTHER_TEXT]) {
    const facts = [...ofPayload]
      .sort((left, right) => left.length - right.length)
      .reduce((device, path) => withValue(device, path, value), SILENT_DEVICE);
    yield { facts, isHidden: true };
  }
  const meeting = rules.flatMap((rule, index) => {
    const terms = known[index];
    return terms === undefined ? [] : [honestFacts(rule, terms).slice(0, PER_RULE)];
  });
  for (const facts of meeting.flat()) yield { facts, isHidden: false };
  if (rules.length > MAX_PAIRED) return;
  for (const [index, one] of meeting.entries()) {
    for (const other of meeting.slice(index + 1)) {
      const [left, right] = [one[0], other[0]];
      if (left !== undefined && right !== undefined) yield { facts: merged(left, right), isHidden: false };
    }
  }
}

/**
 * The rules that leave no hub for a device; undefined if a hub may receive it, or if a rule refuses it on
 * purpose.
 */
function exclusionFor(facts: Facts, { hubs, allocation }: Fleet): readonly Applied[] | undefined {
  const variables = readableFacts(facts);
  const applied = allocation.rules
    .map((rule) => ({ rule, effect: effectOf(rule, variables) }))
    .filter(({ effect }) => effect !== 'none');
  if (applied.some(({ rule, effect }) => effect === 'refuses' || rule.effect.kind === 'deny'))
    return undefined;
  // The last hub rule wins. A rule that no hub meets has another warning.
  const lastHub = applied.findLast(({ rule }) => rule.effect.kind === 'hub');
  const placing = applied.filter(
    (each) =>
      (each.rule.effect.kind === 'require' || each === lastHub) && hubs.some((hub) => meets(hub, each.rule)),
  );
  if (isMet(placing, hubs)) return undefined;
  const inPairs = placing.filter((one) => placing.some((other) => !isMet([one, other], hubs)));
  return inPairs.length > 0 ? inPairs : smallest(placing, hubs);
}

/** A smallest set of these rules that still leaves no hub. */
function smallest(applied: readonly Applied[], hubs: readonly Hub[]): readonly Applied[] {
  return applied.reduce((kept, each) => {
    const others = kept.filter((other) => other !== each);
    return isMet(others, hubs) ? kept : others;
  }, applied);
}

function isMet(applied: readonly Applied[], hubs: readonly Hub[]): boolean {
  return hubs.some((hub) => applied.every(({ rule }) => meets(hub, rule)));
}

function meets(hub: Hub, { effect }: Rule): boolean {
  if (effect.kind === 'hub') return effect.host === hub.host;
  if (effect.kind !== 'require') return true;
  return Object.entries(effect.labels).every(
    ([label, value]) => Object.hasOwn(hub.labels, label) && hub.labels[label] === value,
  );
}

function warning(names: ReadonlySet<string>, facts: Facts): string {
  const rules = [...names].map((name) => `"${name}"`);
  const listed = `${rules.slice(0, -1).join(', ')} and ${rules.at(-1) ?? ''}`;
  return `${listed} leave no hub for a device that ${deviceText(facts)}: Berth refuses it, because an unknown require applies. To give it a clear reason, set whenUnknown to refuse in each rule (docs/fleet-file.md, "Home region or refuse")`;
}

function deviceText(facts: Facts): string {
  const { payload, ...others } = facts;
  const isSilent = Object.keys(payload as JsonObject).length === 0;
  const beside = Object.entries(others)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(SILENT_DEVICE[name]))
    .map(([name, value]) => ` with ${name} ${asciiJson(value)}`);
  return `sends ${isSilent ? 'nothing' : asciiJson(payload ?? null)}${beside.join('')}`;
}
