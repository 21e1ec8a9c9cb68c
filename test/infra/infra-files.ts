import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { BicepFile, ParseBicep } from './bicep.ts';
import type { Known } from './checks.ts';

/** Every Bicep file of the project, by its path. */
export function infraFiles(parse: ParseBicep): ReadonlyMap<string, BicepFile> {
  const paths = ['infra', 'infra/modules'].flatMap((folder) =>
    readdirSync(folder).map((name) => `${folder}/${name}`),
  );
  return new Map(
    paths.flatMap((path) => {
      const kind = extname(path).slice(1);
      if (kind !== 'bicep' && kind !== 'bicepparam') return [];
      return [[path, parse(readFileSync(path, 'utf8'), kind)] as const];
    }),
  );
}

export function knownToInfra(): Known {
  const list = JSON.parse(readFileSync('infra/api-versions.json', 'utf8')) as Record<string, unknown>;
  return {
    apiVersions: new Map(
      Object.entries(list).flatMap(([type, entry]) =>
        typeof entry === 'string' ? [] : [[type, (entry as { apiVersion: string }).apiVersion] as const],
      ),
    ),
    fileExists: existsSync,
  };
}
