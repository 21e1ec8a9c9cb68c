import { isObject, type JsonObject, ownMember } from '../../json/json.ts';
import { isRuntimeModule } from '../snapshot/runtime-twin.ts';
import type { Redaction } from './redact-values.ts';

/** Credentials of registries, in desired and reported alike: edgeAgent reports them in clear text. */
const CREDENTIALS = ['runtime', 'settings', 'registryCredentials'] as const;

/**
 * The redaction of one twin. In the twins of IoT Edge itself, credentials and all variables of modules are hidden too: any
 * of them may be the value of a setting, also of an earlier fleet file.
 *
 * @param sections the sections that will be redacted; they name the modules
 */
export function redactionOfTwin(
  redaction: Redaction,
  moduleId: string | undefined,
  sections: readonly (JsonObject | undefined)[],
): Redaction {
  if (redaction.hidesRuntime !== true || !isRuntimeModule(moduleId)) return redaction;
  const variables = sections.flatMap((section) =>
    ['modules', 'systemModules'].flatMap((group) => {
      const modules = ownMember(section, group);
      return isObject(modules) ? Object.keys(modules).map((name) => [group, name, 'env']) : [];
    }),
  );
  return { ...redaction, paths: [...redaction.paths, [...CREDENTIALS], ...variables] };
}

/** The redaction of a document whose twin is not known, such as a dead letter. */
export function redactionOfDocument(redaction: Redaction): Redaction {
  if (redaction.hidesRuntime !== true) return redaction;
  return { ...redaction, paths: [...redaction.paths, ['registryCredentials'], ['env']] };
}
