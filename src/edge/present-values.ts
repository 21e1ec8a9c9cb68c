import type { FilledManifest } from '../fleet/edge/manifest.ts';
import { isObject, type JsonObject, type JsonValue, ownMember } from '../json/json.ts';
import type { Redaction } from '../twin/redaction/redact-values.ts';
import type { SettingValues } from './fingerprint.ts';
import { sameHidden } from './manifest-diff.ts';

/**
 * Whether the manifest that a hub has for a device holds the present values of settings, as far as it names them. Their
 * hashes are compared. `diffManifest` compares everything else.
 *
 * @param values undefined: they are not known here
 * @returns undefined: that is not known, because the values or the key of the hashes are not
 */
export function hasPresentValues(
  agent: JsonObject,
  wanted: FilledManifest,
  values: SettingValues | undefined,
  redaction: Redaction,
): boolean | undefined {
  if (values === undefined || redaction.key === undefined) return undefined;
  return placesOf(agent, wanted).every(
    ({ found, setting }) => found === undefined || sameHidden(found, values(setting) ?? '', redaction),
  );
}

interface Place {
  readonly setting: string;
  readonly found: JsonValue | undefined;
}

function placesOf(agent: JsonObject, { registries, runtime, modules }: FilledManifest): readonly Place[] {
  const credentials = ownMember(ownMember(ownMember(agent, 'runtime'), 'settings'), 'registryCredentials');
  const system = ownMember(agent, 'systemModules');
  const own = ownMember(agent, 'modules');
  const containers = [
    [ownMember(system, 'edgeAgent'), runtime.edgeAgent] as const,
    [ownMember(system, 'edgeHub'), runtime.edgeHub] as const,
    ...[...modules].map(([name, module]) => [ownMember(own, name), module] as const),
  ];
  return [
    ...registries.flatMap(({ name, username, password }): Place[] => {
      const registry = isObject(credentials) ? credentials[name] : undefined;
      return [
        { setting: username, found: ownMember(registry, 'username') },
        { setting: password, found: ownMember(registry, 'password') },
      ];
    }),
    ...containers.flatMap(([present, { env }]) =>
      env.flatMap(([name, value]): Place[] =>
        value.kind === 'setting'
          ? [
              {
                setting: value.setting,
                found: ownMember(ownMember(ownMember(present, 'env'), name), 'value'),
              },
            ]
          : [],
      ),
    ),
  ];
}
