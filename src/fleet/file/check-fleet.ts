import { digestOf, type FleetCheck } from './checked-fleet.ts';
import { type ModelFile, parseFleetWithModels } from './models.ts';

/**
 * Checks a fleet file for a package.
 *
 * @param build when the package is built, ISO 8601
 * @returns the text of `checked-fleet.json`; undefined if the file has problems. The app then reports them itself.
 */
export function checkFleet(text: string, files: readonly ModelFile[], build: string): string | undefined {
  const parsed = parseFleetWithModels(text, files);
  if (!parsed.ok) return undefined;
  const { file, revision, models } = parsed.fleet;
  const checked: FleetCheck = {
    build,
    digest: digestOf(text, files),
    revision,
    file,
    models,
    warnings: parsed.warnings,
  };
  return JSON.stringify(checked);
}
