import { createHmac } from 'node:crypto';
import { type FilledManifest, renderManifest } from '../fleet/edge/manifest.ts';
import { sha256Hex } from '../json/hash.ts';
import { canonicalJson } from '../json/json.ts';

/** The values of app settings by name; undefined: the setting is not set. */
export type SettingValues = (name: string) => string | undefined;

/**
 * Identifies a manifest without its secrets. Two devices with the same fingerprint have the same manifest; equal content is
 * not applied again.
 */
export interface ManifestFingerprint {
  /** SHA-256 of the canonical manifest, with the names of settings in place of their values. */
  readonly content: string;
  /** Keyed hash of the values of its settings. Undefined: it has none, or they are not known here. */
  readonly secrets: string | undefined;
  /**
   * Identifies the key of `secrets` and of the hidden values of the stored twins, so that a change of the key alone is not
   * taken for a change of the values.
   */
  readonly key: string | undefined;
}

/** No text of a fleet file begins with it, so a setting never has the hash of a literal text. */
const SETTING_MARK = '\u0000setting:';

/** The settings that a manifest needs, sorted. */
export function settingsOf({ registries, runtime, modules }: FilledManifest): readonly string[] {
  const containers = [runtime.edgeAgent, runtime.edgeHub, ...modules.values()];
  const names = [
    ...registries.flatMap(({ username, password }) => [username, password]),
    ...containers.flatMap(({ env }) =>
      env.flatMap(([, value]) => (value.kind === 'setting' ? [value.setting] : [])),
    ),
  ];
  return [...new Set(names)].sort();
}

/** The settings that have no value. An empty value counts as none. */
export function missingSettings(manifest: FilledManifest, values: SettingValues): readonly string[] {
  return settingsOf(manifest).filter((name) => !values(name));
}

/**
 * @param values undefined: the values are not known here, as in a command on another machine. Then only the content counts.
 * @param key undefined: as for `values`
 */
export function fingerprintOf(
  manifest: FilledManifest,
  values: SettingValues | undefined,
  key: Uint8Array | undefined,
): ManifestFingerprint {
  const rendered = renderManifest(manifest, (name) => `${SETTING_MARK}${name}`);
  const content = sha256Hex(canonicalJson(rendered));
  const settings = settingsOf(manifest);
  if (values === undefined || key === undefined) return { content, secrets: undefined, key: undefined };
  if (settings.length === 0) return { content, secrets: undefined, key: keyName(key) };
  const named = Object.fromEntries(settings.map((name) => [name, values(name) ?? null]));
  return { content, secrets: keyedHash(key, canonicalJson(named)), key: keyName(key) };
}

/** What a new apply would change: nothing, only the values of settings, or the content. */
export type ManifestChange = 'none' | 'secrets' | 'content';

/**
 * Compares what was applied with what is wanted. If only the key has changed, the values cannot be compared, and nothing is
 * applied because of them.
 */
export function changeBetween(applied: ManifestFingerprint, wanted: ManifestFingerprint): ManifestChange {
  if (applied.content !== wanted.content) return 'content';
  const isComparable = applied.key !== undefined && applied.key === wanted.key;
  return isComparable && applied.secrets !== wanted.secrets ? 'secrets' : 'none';
}

/** The manifest with the values of its settings, for one apply. Nothing may store or log it. */
export function withSecrets(manifest: FilledManifest, values: SettingValues) {
  return renderManifest(manifest, (name) => values(name) ?? '');
}

/** Identifies a key, and says nothing else about it. */
export function keyName(key: Uint8Array): string {
  return keyedHash(key, 'key').slice(0, 16);
}

/** HMAC-SHA-256 of a text, in hex. */
export function keyedHash(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('hex');
}
