import { isObject, type JsonObject, type JsonValue, ownMember } from '../../../src/json/json.ts';
import type { HubTwin, HubTwinSection } from './twin.ts';

/*
 * The digital twin of a Plug and Play device: another view of its device twin (concepts-digital-twin.md). A component has
 * the marker `"__t": "c"` in the device twin, and `$metadata` in the digital twin.
 */

const MARKER = '__t';

/** Whether a value of a twin is a component. */
export function isComponent(value: JsonValue | undefined): boolean {
  return ownMember(value, MARKER) === 'c';
}

/** The digital twin in the form of the service API. */
export function describeDigitalTwin(
  deviceId: string,
  modelId: string | undefined,
  { desired, reported }: HubTwin,
): JsonObject {
  const names = new Set([...Object.keys(reported.values), ...Object.keys(desired.values)]);
  const components = [...names].filter(
    (name) => isComponent(ownMember(reported.values, name)) || isComponent(ownMember(desired.values, name)),
  );
  const root = propertiesOf(desired, reported, new Set(components));
  return {
    $dtId: deviceId,
    ...root.values,
    ...Object.fromEntries(
      components.map((name) => {
        const part = propertiesOf(partOf(desired, name), partOf(reported, name), new Set([MARKER]));
        return [name, { ...part.values, $metadata: part.metadata }];
      }),
    ),
    $metadata: { ...(modelId !== undefined && { $model: modelId }), ...root.metadata },
  };
}

/** The part of a section below one component. */
function partOf({ values, metadata, version }: HubTwinSection, name: string): HubTwinSection {
  const inner = ownMember(values, name);
  const innerMetadata = ownMember(metadata, name);
  return {
    values: isObject(inner) ? inner : {},
    metadata: isObject(innerMetadata) ? innerMetadata : {},
    version,
  };
}

interface Properties {
  readonly values: JsonObject;
  readonly metadata: JsonObject;
}

function propertiesOf(
  desired: HubTwinSection,
  reported: HubTwinSection,
  except: ReadonlySet<string>,
): Properties {
  const names = new Set([...Object.keys(reported.values), ...Object.keys(desired.values)]);
  const values: [string, JsonValue][] = [];
  const metadata: [string, JsonValue][] = [];
  for (const name of names) {
    if (except.has(name)) continue;
    const report = ownMember(reported.values, name);
    const value = isAcknowledgement(report) ? ownMember(report, 'value') : report;
    if (value !== undefined) values.push([name, value]);
    metadata.push([name, { ...wish(desired, name), ...answer(report, ownMember(reported.metadata, name)) }]);
  }
  return { values: Object.fromEntries(values), metadata: Object.fromEntries(metadata) };
}

function wish({ values, metadata, version }: HubTwinSection, name: string): JsonObject {
  const desiredValue = ownMember(values, name);
  if (desiredValue === undefined) return {};
  const desiredVersion = ownMember(ownMember(metadata, name), '$lastUpdatedVersion') ?? version;
  return { desiredValue, desiredVersion };
}

function answer(report: JsonValue | undefined, metadata: JsonValue | undefined): JsonObject {
  if (report === undefined) return {};
  const member = (from: string, to: string) => {
    const value = isAcknowledgement(report) ? ownMember(report, from) : undefined;
    return value === undefined ? {} : { [to]: value };
  };
  return {
    ...member('av', 'ackVersion'),
    ...member('ac', 'ackCode'),
    ...member('ad', 'ackDescription'),
    lastUpdateTime: ownMember(metadata, '$lastUpdated') ?? null,
  };
}

/** The answer of a device to a writable property (concepts-convention.md). */
function isAcknowledgement(report: JsonValue | undefined): boolean {
  return ownMember(report, 'value') !== undefined && typeof ownMember(report, 'ac') === 'number';
}
