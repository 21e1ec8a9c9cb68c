import { readFileSync } from 'node:fs';
import type { ErrorDetail } from '../../src/errors.ts';
import { readFileText } from '../../src/fleet/file/file-text.ts';
import { schemaProblems } from '../../src/fleet/file/problems.ts';
import type { EnrollmentGroup } from '../dps/index.ts';
import { DPS_HOST, ID_SCOPE, PLAIN_TERMS } from '../enrollments.ts';
import { LocalError } from '../errors.ts';
import { isSameHub } from '../iot-hub/index.ts';
import { LOCAL_FILE, type LocalFile } from './local-file-schema.ts';
import { type LocalPlan, USUAL_PARTITIONS } from './local-plan.ts';

/** Keys of `local.json` whose value is never shown. */
const NOT_ECHOED: ReadonlySet<string> = new Set(['primaryKey', 'webhookUrl']);

/**
 * Reads `local.json`: the hubs, DPS, Event Hubs and ports of a stack without Berth.
 *
 * @throws LocalError `BERTH_LOCAL_CONFIGURATION_INVALID` with every problem
 */
export function readLocalFile(file: string): LocalPlan {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LocalError('BERTH_LOCAL_CONFIGURATION_INVALID', `${file} cannot be read.`, { cause });
  }
  const read = readFileText(text);
  if (!read.ok) throw invalid(file, read.problems);
  const parsed = LOCAL_FILE.safeParse(read.json);
  if (!parsed.success) throw invalid(file, schemaProblems(parsed.error, read.json, LOCAL_FILE, NOT_ECHOED));
  const problems = referenceProblems(parsed.data);
  if (problems.length > 0) throw invalid(file, problems);
  return planOf(parsed.data);
}

function planOf({ hubs, eventHubs, dps, ports }: LocalFile): LocalPlan {
  const listed = eventHubs.map(({ name }) => name.toLowerCase());
  const routed = hubs.flatMap(({ routing }) =>
    routing.endpoints.eventHubs.map(({ entityPath }) => entityPath),
  );
  const others = [...new Map(routed.map((name) => [name.toLowerCase(), name])).entries()]
    .filter(([key]) => !listed.includes(key))
    .map(([, name]) => ({ name, partitionCount: USUAL_PARTITIONS, consumerGroups: [] }));
  return {
    hubs,
    eventHubs: [...eventHubs, ...others],
    dps: {
      idScope: dps.idScope ?? ID_SCOPE,
      host: dps.host ?? DPS_HOST,
      linkedHubs: dps.linkedHubs ?? hubs.map(({ host }) => host),
      groups: dps.enrollmentGroups.map(groupOf),
    },
    ports: withoutUndefined(ports),
  };
}

function groupOf({
  id,
  primaryKey,
  iotEdge,
  allocationPolicy,
  iotHubs,
  webhookUrl,
}: LocalFile['dps']['enrollmentGroups'][number]): EnrollmentGroup {
  return {
    ...PLAIN_TERMS,
    enrollmentGroupId: id,
    attestation: { type: 'symmetricKey', primaryKey, secondaryKey: primaryKey },
    capabilities: { iotEdge },
    allocationPolicy,
    ...(iotHubs !== undefined && { iotHubs }),
    ...(webhookUrl !== undefined && {
      customAllocationDefinition: { webhookUrl, apiVersion: '2021-10-01' },
    }),
  };
}

/** Names that stand there twice, and names of hubs that the file does not have. */
function referenceProblems({ hubs, eventHubs, dps }: LocalFile): readonly ErrorDetail[] {
  const known = hubs.map(({ host }) => host);
  const isKnown = (host: string) => known.some((each) => isSameHub(each, host));
  const unknown = (hosts: readonly string[], path: string) =>
    hosts.flatMap((host, index) =>
      isKnown(host)
        ? []
        : [
            {
              path: `${path}[${index}]`,
              message: `is "${host}": unknown hub; write one of ${known.join(', ')}`,
            },
          ],
    );
  return [
    ...repeated(known, 'hubs', 'host'),
    ...repeated(
      eventHubs.map(({ name }) => name),
      'eventHubs',
      'name',
    ),
    ...repeated(
      dps.enrollmentGroups.map(({ id }) => id),
      'dps.enrollmentGroups',
      'id',
    ),
    ...unknown(dps.linkedHubs ?? [], 'dps.linkedHubs'),
    ...dps.enrollmentGroups.flatMap(({ iotHubs = [] }, index) =>
      unknown(iotHubs, `dps.enrollmentGroups[${index}].iotHubs`),
    ),
    ...eventHubs.flatMap(({ name }, index) =>
      name.toLowerCase().startsWith('iothub-ehub-')
        ? [
            {
              path: `eventHubs[${index}].name`,
              message: `is "${name}": the built-in endpoints of hubs have such names`,
            },
          ]
        : [],
    ),
  ];
}

function repeated(names: readonly string[], list: string, field: string): readonly ErrorDetail[] {
  const lower = names.map((name) => name.toLowerCase());
  return names.flatMap((name, index) =>
    lower.indexOf(name.toLowerCase()) < index
      ? [{ path: `${list}[${index}].${field}`, message: `is "${name}": an earlier entry has this name` }]
      : [],
  );
}

function withoutUndefined(ports: LocalFile['ports']): LocalPlan['ports'] {
  return Object.fromEntries(Object.entries(ports).filter(([, port]) => port !== undefined));
}

function invalid(file: string, problems: readonly ErrorDetail[]): LocalError {
  const [first, ...details] = problems;
  const more = details.length === 0 ? '' : ` (and ${details.length} more, below)`;
  const text = `${file} is not valid: ${first?.path} ${first?.message}${more}.`.replaceAll('  ', ' ');
  return new LocalError('BERTH_LOCAL_CONFIGURATION_INVALID', text, { details });
}
