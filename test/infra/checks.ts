import { dirname, join } from 'node:path/posix';
import type { BicepFile } from './bicep.ts';

/** What the checks compare the files with. */
export interface Known {
  /** API version of each resource type. */
  readonly apiVersions: ReadonlyMap<string, string>;
  /** Other files that there are. */
  readonly fileExists: (path: string) => boolean;
}

/**
 * Everything that is wrong with a set of Bicep files, by their paths, as `path: problem`. It is what can be said without
 * Azure's own types: the names within and between the files.
 */
export function problemsOf(files: ReadonlyMap<string, BicepFile>, known: Known): readonly string[] {
  return [...files].flatMap(([path, file]) =>
    [
      ...syntax(file),
      ...names(file),
      ...descriptions(file),
      ...modules(path, file, files),
      ...outputs(path, file, files),
      ...imports(path, file, files),
      ...parameterFile(path, file, files),
      ...resources(file, known),
      ...file.filesLoaded.flatMap((loaded) =>
        known.fileExists(join(dirname(path), loaded)) ? [] : [`loads ${loaded}, which there is not`],
      ),
    ].map((problem) => `${path}: ${problem}`),
  );
}

function syntax({ syntaxErrors }: BicepFile): readonly string[] {
  return syntaxErrors.map((line) => `line ${line} is no Bicep`);
}

function names({
  declared,
  undeclared,
  exported,
  params,
  modules,
  resources,
  assigned,
}: BicepFile): readonly string[] {
  const mayBeUnused = new Set([
    ...exported,
    ...assigned,
    ...modules.map(({ symbol }) => symbol),
    ...resources.flatMap(({ symbol, isExisting }) => (isExisting ? [] : [symbol])),
  ]);
  const isParameter = new Set(params.map(({ name }) => name));
  return [
    ...undeclared.map(({ name, line }) => `line ${line} uses ${name}, which nothing declares`),
    ...[...declared].flatMap(([name, uses]) =>
      uses > 0 || mayBeUnused.has(name)
        ? []
        : [`${isParameter.has(name) ? 'the parameter' : 'the name'} ${name} is not used`],
    ),
  ];
}

function descriptions({ params, outputs }: BicepFile): readonly string[] {
  return [...params, ...outputs].flatMap(({ name, isDescribed }) =>
    isDescribed ? [] : [`${name} has no description`],
  );
}

function modules(path: string, file: BicepFile, files: ReadonlyMap<string, BicepFile>): readonly string[] {
  return file.modules.flatMap((module) => {
    const called = files.get(join(dirname(path), module.path));
    if (called === undefined) return [`the module ${module.symbol} is ${module.path}, which there is not`];
    return [
      ...called.params.flatMap(({ name, isRequired }) =>
        isRequired && !module.params.includes(name)
          ? [`the module ${module.symbol} is not given ${name}`]
          : [],
      ),
      ...module.params.flatMap((name) =>
        called.params.some((param) => param.name === name)
          ? []
          : [`the module ${module.symbol} is given ${name}, which it does not take`],
      ),
    ];
  });
}

function outputs(path: string, file: BicepFile, files: ReadonlyMap<string, BicepFile>): readonly string[] {
  return file.outputsUsed.flatMap(({ symbol, output, line }) => {
    const module = file.modules.find((each) => each.symbol === symbol);
    if (module === undefined) return [`line ${line} reads outputs of ${symbol}, which is no module`];
    const called = files.get(join(dirname(path), module.path));
    return called === undefined || called.outputs.some(({ name }) => name === output)
      ? []
      : [`line ${line} reads ${symbol}.outputs.${output}, which ${module.path} does not have`];
  });
}

function imports(path: string, file: BicepFile, files: ReadonlyMap<string, BicepFile>): readonly string[] {
  return file.imports.flatMap((each) => {
    const exported = files.get(join(dirname(path), each.path))?.exported;
    if (exported === undefined) return [`imports from ${each.path}, which there is not`];
    return each.names.flatMap((name) =>
      exported.includes(name) ? [] : [`imports ${name}, which ${each.path} does not export`],
    );
  });
}

function parameterFile(
  path: string,
  { using, assigned }: BicepFile,
  files: ReadonlyMap<string, BicepFile>,
): readonly string[] {
  if (!path.endsWith('.bicepparam')) return [];
  const template = using === undefined ? undefined : files.get(join(dirname(path), using));
  if (template === undefined) return [`is for ${using ?? 'no file'}, which there is not`];
  return [
    ...template.params.flatMap(({ name, isRequired }) =>
      isRequired && !assigned.includes(name) ? [`does not give ${name}`] : [],
    ),
    ...assigned.flatMap((name) =>
      template.params.some((param) => param.name === name)
        ? []
        : [`gives ${name}, which ${using} does not take`],
    ),
  ];
}

function resources({ resources }: BicepFile, { apiVersions }: Known): readonly string[] {
  return resources.flatMap(({ symbol, type, apiVersion }) => {
    const known = apiVersions.get(type);
    if (known === undefined) return [`${symbol} is a ${type}, which is not in the list of resource types`];
    return known === apiVersion ? [] : [`${symbol} is a ${type} of ${apiVersion}; the list has ${known}`];
  });
}
