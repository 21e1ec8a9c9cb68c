import type { ErrorDetail } from '../errors.ts';
import { pathText } from '../fleet/file/problems.ts';
import { shownHub } from '../iot-hub/host-name.ts';
import { isObject, type JsonObject, type JsonValue } from '../json/json.ts';
import { webhookProblems } from './webhooks.ts';

/** Maximum number of groups with each attestation (azure-docs includes/iot-dps-limits.md). */
const MAX_GROUPS = 100;

/**
 * Checks that the parts of an enrollments file fit together. It reads the raw JSON and ignores values of the
 * wrong shape, so that these problems are reported together with those of the schema.
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
  for (const { path, message } of webhookProblems(top.webhook, { groups, individuals }))
    problem(path, message);
  for (const type of ['symmetricKey', 'x509']) {
    const alike = groups.filter(
      ({ attestation }) => isObject(attestation) && attestation.type === type,
    ).length;
    if (alike > MAX_GROUPS) problem(['groups'], `has ${alike} groups with ${type}: DPS allows ${MAX_GROUPS}`);
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
        `is "${id}", which is already used (case is ignored): use another id`,
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
    problem(
      [...path, 'webhook'],
      'is missing: allocationPolicy "custom" needs a webhook here or at the top level of the file',
    );
  }
  if (allocationPolicy !== 'custom' && webhook !== undefined) {
    problem([...path, 'webhook'], 'is only for allocationPolicy "custom": remove it, or set "custom"');
  }
  const hubs = Array.isArray(iotHubs) ? iotHubs : [];
  if (allocationPolicy === 'static' && hubs.length !== 1) {
    problem([...path, 'iotHubs'], `has ${hubs.length} hubs: allocationPolicy "static" needs exactly one`);
  }
  const lower = hubs.map((hub) => String(hub).toLowerCase());
  lower.forEach((hub, index) => {
    if (lower.indexOf(hub) !== index)
      problem([...path, 'iotHubs', index], `is ${shownHub(hub)}, which is listed twice: remove one`);
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
          'has both given keys and derived keys: write one kind, or none to let DPS generate keys',
        );
      } else if (given.length === 1 || derived.length === 1) {
        // Otherwise DPS would generate the other key, a new one with every update.
        problem(
          path,
          `has only ${[...given, ...derived].join()}: write both keys, or none to let DPS generate keys`,
        );
      }
      return;
    }
    case 'x509': {
      const kinds = ['signingCertificates', 'caReferences'];
      if (path[0] === 'groups' && has(...kinds).length !== 1) {
        problem(path, `needs exactly one of ${kinds.join(' and ')}`);
      }
      return;
    }
    case 'tpm': {
      const kinds = ['endorsementKeyFrom', 'endorsementKeyFile'];
      if (path[0] === 'individuals' && has(...kinds).length !== 1)
        problem(path, `needs exactly one of ${kinds.join(' and ')}`);
      return;
    }
  }
}

function items(list: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(list) ? list.map((item: JsonValue) => (isObject(item) ? item : {})) : [];
}
