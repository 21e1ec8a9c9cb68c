import { openArm } from '../../arm/arm.ts';
import { armPlace } from '../../arm/connection.ts';
import { ArmError } from '../../arm/port.ts';
import { parseResourceId } from '../../arm/resource-id.ts';
import { type Discovered, discover } from '../../connect/discover.ts';
import { regionOf } from '../../connect/hub-plan.ts';
import { dpsPlace } from '../../dps/connection.ts';
import { openDps } from '../../dps/dps.ts';
import type { ExportedEnrollments } from '../../enroll/export.ts';
import type { ErrorDetail } from '../../errors.ts';
import { type JsonObject, ownMember } from '../../json/json.ts';
import type { Environment } from '../../settings/settings.ts';
import { readEnrollments } from '../enrollments/enroll-export.ts';

/** The files of a project, by their paths. */
export type ProjectFiles = Readonly<Record<string, string>>;

/** What was found in Azure. */
export interface FoundProject {
  readonly files: ProjectFiles;
  readonly dps: string;
  readonly hubs: number;
  readonly enrollments: number;
  /** What must be added by hand. */
  readonly notes: readonly ErrorDetail[];
}

/** A sample of two stamps, which a project of an existing fleet does not need. */
const LEFT_OUT = 'infra/fleet.production.json';

/** The paths of a project that is made from what Azure has. */
export function projectPathsFromAzure(sample: ProjectFiles): readonly string[] {
  return Object.keys(sample).filter((path) => path !== LEFT_OUT);
}

/**
 * The files of a new project for the DPS of a subscription and the hubs that it is linked with. Berth reads Azure Resource
 * Manager and DPS, and writes to neither.
 *
 * @param sample the files of a new project with the sample fleet
 * @param dpsName the DPS; undefined: the only one of the subscription
 * @throws BerthError, ArmError, DpsError
 */
export async function projectFromAzure(
  env: Environment,
  sample: ProjectFiles,
  dpsName: string | undefined,
): Promise<FoundProject> {
  const found = await readAzure(env, dpsName);
  requireHubs(found);
  const exported = await readDps(env, found.dps);
  const files: ProjectFiles = {
    ...Object.fromEntries(Object.entries(sample).filter(([path]) => path !== LEFT_OUT)),
    'fleet.json': jsonText({ ...schemaOf(sample['fleet.json']), hubs: found.hubs }),
    'enrollments.json': jsonText({ ...schemaOf(sample['enrollments.json']), ...exported.file }),
    'infra/main.bicepparam': `${sample['infra/main.bicepparam'] ?? ''}${existingDpsText(found.dps)}`,
    'infra/production.bicepparam': productionText(sample['infra/production.bicepparam'] ?? '', found.dps),
  };
  const enrollments = [exported.file.groups, exported.file.individuals].flat();
  return {
    files,
    dps: String(found.dps.name),
    hubs: found.hubs.length,
    enrollments: enrollments.filter((each) => each !== undefined).length,
    notes: [...found.notes, ...exported.notes],
  };
}

async function readAzure(env: Environment, dpsName: string | undefined): Promise<Discovered> {
  const place = armPlace(env);
  const arm = openArm(place);
  try {
    return await discover(arm, place.subscription, dpsName);
  } finally {
    await arm.close();
  }
}

/** A fleet file needs a hub. */
function requireHubs({ dps, hubs, notes }: Discovered): void {
  if (hubs.length > 0) return;
  throw new ArmError(
    'BERTH_AZURE_NOT_FOUND',
    `The DPS ${dps.name} is linked with no hub that a fleet file can have${notes.length === 0 ? '' : `: ${notes.map(({ path, message }) => `${path} ${message}`).join('; ')}`}. Link a hub, or run "berth init" without --from-azure.`,
  );
}

/** The enrollments, from the service API of this DPS. Locally there is only one DPS. */
async function readDps(env: Environment, found: JsonObject): Promise<ExportedEnrollments> {
  const dps = openDps(dpsPlace(settingsOfDps(env, found)));
  try {
    return await readEnrollments(dps);
  } finally {
    await dps.close();
  }
}

/** A DPS of a subscription is never read from the local stack. */
function settingsOfDps(env: Environment, { name, properties }: JsonObject): Environment {
  if (!env.AZURE_SUBSCRIPTION_ID) return env;
  const host = ownMember(properties, 'serviceOperationsHostName');
  if (typeof host !== 'string') {
    throw new ArmError(
      'BERTH_AZURE_NOT_FOUND',
      `The DPS ${name} has no host name yet (serviceOperationsHostName): run the command again when Azure has created it.`,
    );
  }
  const { IOT_ENDPOINT: _, BERTH_DPS: __, ...others } = env;
  return { ...others, BERTH_DPS__hostName: host };
}

function jsonText(json: JsonObject): string {
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** `$schema` of a sample file, which names the schema of the installed package. */
function schemaOf(text: string | undefined): JsonObject {
  const schema = ownMember(JSON.parse(text ?? '{}'), '$schema');
  return schema === undefined ? {} : { $schema: schema };
}

function existingDpsText(dps: JsonObject): string {
  const place = parseResourceId(String(dps.id ?? ''));
  return `
// Exists already: nothing of it is written by the templates.
param existingDps = {
  name: '${place?.name ?? ''}'
  subscription: '${place?.subscription ?? ''}'
  resourceGroup: '${place?.resourceGroup ?? ''}'
}
`;
}

/** The parameters of the workflow. The path of the templates is that of the sample. */
function productionText(sample: string, dps: JsonObject): string {
  const using = /^using .*$/m.exec(sample)?.[0] ?? "using './main.bicep'";
  return `// One stamp, for the hubs of fleet.json. Add parameters as in infra/README.md of the package.
${using}

param environmentName = 'berth-prod'
// A region with the plan Flex Consumption.
param location = '${regionOf(dps)}'

param hubs = loadJsonContent('../fleet.json').hubs
${existingDpsText(dps)}`;
}
