import type { ErrorDetail } from '../errors.ts';
import { pathText } from '../fleet/file/problems.ts';
import { shownHub } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';

/** DPS takes this many groups of each attestation (azure-docs includes/iot-dps-limits.md). */
const MAX_GROUPS = 100;

/**
 * What one part of an enrollments file says about another. Reads the raw JSON and passes over what has the wrong
 * shape, so that these problems are reported together with those of the schema.
 */
export function enrollmentReferenceProblems(file: JsonValue): readonly ErrorDetail[] {
  const problems: ErrorDetail[] = [];
  const problem: Report = (path, message) => problems.push({ path: pathText(path), message });
  const top = isObject(file) ? file : {};
  const groups = items(top.groups);
  const individuals = items(top.individuals);

  checkIds(groups, 'groups', 'id', problem);
  checkIds(individuals, 'individuals', 'registrationId', problem);
  for (const [list, collection] of [
    [groups, 'groups'],
    [individuals, 'individuals'],
  ] as const) {
    list.forEach((each, index) => {
      checkPolicy(each, isObject(top.webhook), [collection, index], problem);
      checkAttestation(each.attestation, [collection, index, 'attestation'], problem);
    });
  }
  for (const type of ['symmetricKey', 'x509']) {
    const alike = groups.filter(
      ({ attestation }) => isObject(attestation) && attestation.type === type,
    ).length;
    if (alike > MAX_GROUPS) problem(['groups'], `has ${alike} groups with ${type}: DPS takes ${MAX_GROUPS}`);
  }
  return problems;
}

type Report = (path: readonly PropertyKey[], message: string) => void;

function checkIds(list: readonly JsonObject[], collection: string, field: string, problem: Report): void {
  const seen = new Set<string>();
  list.forEach((each, index) => {
    const id = each[field];
    if (typeof id !== 'string') return;
    if (seen.has(id.toLowerCase())) {
      problem(
        [collection, index, field],
        `is "${id}", which is taken (case does not count): give each its own`,
      );
    }
    seen.add(id.toLowerCase());
  });
}

function checkPolicy(
  { allocationPolicy = 'custom', webhook, iotHubs }: JsonObject,
  hasWebhook: boolean,
  path: readonly PropertyKey[],
  problem: Report,
): void {
  if (allocationPolicy === 'custom' && webhook === undefined && !hasWebhook) {
    problem([...path, 'webhook'], 'is missing: the policy custom needs one here or at the top of the file');
  }
  if (allocationPolicy !== 'custom' && webhook !== undefined) {
    problem([...path, 'webhook'], 'is asked under the policy custom only: leave it out, or write "custom"');
  }
  const hubs = Array.isArray(iotHubs) ? iotHubs : [];
  if (allocationPolicy === 'static' && hubs.length !== 1) {
    problem([...path, 'iotHubs'], `has ${hubs.length} hubs: the policy static needs exactly one`);
  }
  const lower = hubs.map((hub) => String(hub).toLowerCase());
  lower.forEach((hub, index) => {
    if (lower.indexOf(hub) !== index)
      problem([...path, 'iotHubs', index], `is ${shownHub(hub)}, which is listed twice`);
  });
}

function checkAttestation(
  attestation: JsonValue | undefined,
  path: readonly PropertyKey[],
  problem: Report,
): void {
  if (!isObject(attestation)) return;
  const has = (...names: readonly string[]) => names.filter((name) => attestation[name] !== undefined);
  switch (attestation.type) {
    case 'symmetricKey': {
      const given = has('primaryKeyFrom', 'secondaryKeyFrom');
      const derived = has('derivedFrom', 'secondaryDerivedFrom');
      if (given.length > 0 && derived.length > 0) {
        problem(
          path,
          'has keys that are given and keys that are derived: write one kind, or none and DPS makes them',
        );
      } else if (given.length === 1 || derived.length === 1) {
        // Else DPS would make the other one, and make it anew with every update.
        problem(
          path,
          `has ${[...given, ...derived].join()} only: write both keys, or none and DPS makes them`,
        );
      }
      return;
    }
    case 'x509': {
      const kinds = ['signingCertificates', 'caReferences'];
      if (path[0] === 'groups' && has(...kinds).length !== 1) {
        problem(path, `takes exactly one of ${kinds.join(' and ')}`);
      }
      return;
    }
    case 'tpm': {
      const kinds = ['endorsementKeyFrom', 'endorsementKeyFile'];
      if (path[0] === 'individuals' && has(...kinds).length !== 1)
        problem(path, `takes exactly one of ${kinds.join(' and ')}`);
      return;
    }
  }
}

function items(list: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(list) ? list.map((item: JsonValue) => (isObject(item) ? item : {})) : [];
}
