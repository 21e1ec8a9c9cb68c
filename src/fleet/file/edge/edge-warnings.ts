import type { ErrorDetail } from '../../../errors.ts';
import { isObject, type JsonValue } from '../../../json/json.ts';
import { nearest } from '../../../nearest.ts';
import { movingTag } from '../../edge/container-image.ts';
import type { EdgeFile, EdgeModuleFile } from '../../edge/edge-schema.ts';
import { readRoute } from '../../edge/route.ts';
import { SETTING_PREFIX } from '../../edge/setting-name.ts';
import { SECRET } from '../../secrets.ts';
import { pathText } from '../problems.ts';

type Path = readonly (string | number)[];

/** Warnings about a valid `edge` with an effect that the operator may not expect. */
export function edgeWarnings(edge: EdgeFile | undefined): readonly ErrorDetail[] {
  if (edge === undefined) return [];
  const known = new Set(
    edge.deployments.flatMap(({ modules }) =>
      Object.entries(modules).flatMap(([name, module]) => (module === null ? [] : [name])),
    ),
  );
  return [
    ...containerWarnings(edge.runtime.edgeAgent, ['edge', 'runtime', 'edgeAgent']),
    ...containerWarnings(edge.runtime.edgeHub, ['edge', 'runtime', 'edgeHub']),
    ...edge.deployments.flatMap(({ modules, routes }, index) => {
      const path = ['edge', 'deployments', index];
      return [
        ...Object.entries(modules).flatMap(([name, module]) =>
          moduleWarnings(name, module, [...path, 'modules', name]),
        ),
        ...Object.entries(routes).flatMap(([name, route]) =>
          route === null
            ? []
            : routeWarnings(typeof route === 'string' ? route : route.route, known, [
                ...path,
                'routes',
                name,
              ]),
        ),
        ...needlessRemovals(edge, index),
      ];
    }),
    ...similarNames(known),
  ];
}

function warning(path: Path, message: string): ErrorDetail {
  return { path: pathText(path), message };
}

/** The container engine's rule for names (moby, daemon/names): the name of a module is the name of its container. */
const CONTAINER_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]+$/;

function moduleWarnings(name: string, module: EdgeModuleFile | null, path: Path): readonly ErrorDetail[] {
  if (module === null) return [];
  return [
    ...(CONTAINER_NAME.test(name)
      ? []
      : [
          warning(
            path,
            'has a name that the container engine refuses: write two or more characters, the first a letter or a digit',
          ),
        ]),
    ...containerWarnings(module, path),
    ...settingsInDesired(module.desired as JsonValue | undefined, [...path, 'desired']),
  ];
}

function containerWarnings(
  { image, env = {} }: Pick<EdgeModuleFile, 'image' | 'env'>,
  path: Path,
): readonly ErrorDetail[] {
  const moving = movingTag(image);
  return [
    ...(moving === undefined
      ? []
      : [
          warning(
            [...path, 'image'],
            `${moving}: a device does not pull again while this text stays the same. Write a tag of one version, or a digest`,
          ),
        ]),
    ...Object.entries(env).flatMap(([name, given]) => {
      const value = typeof given === 'object' ? given.value : given;
      return typeof value === 'string' && looksSecret(name, value)
        ? [
            warning(
              [...path, 'env', name],
              'looks like a secret in the fleet file (not shown here): write it to an app setting, and setting:NAME here',
            ),
          ]
        : [];
    }),
  ];
}

const SECRET_NAME = /password|passwd|secret|connection_?string|api_?key|access_?key|shared_?key|sas_?token/i;

function looksSecret(name: string, value: string): boolean {
  if (value === '' || value.startsWith(SETTING_PREFIX) || value.startsWith('=')) return false;
  return SECRET.test(value) || SECRET_NAME.test(name);
}

function settingsInDesired(json: JsonValue | undefined, path: Path): readonly ErrorDetail[] {
  if (typeof json === 'string' && json.startsWith(SETTING_PREFIX)) {
    return [
      warning(
        path,
        'is sent as this text: only env and the credentials of registries take the value of a setting',
      ),
    ];
  }
  if (!isObject(json)) return [];
  return Object.entries(json).flatMap(([key, member]) => settingsInDesired(member, [...path, key]));
}

function routeWarnings(route: string, known: ReadonlySet<string>, path: Path): readonly ErrorDetail[] {
  const read = readRoute(route);
  if (!read.ok) return [];
  const unknown = (module: string, effect: string) => {
    const near = nearest(module, [...known]);
    const hint = near === undefined ? '' : ` Did you mean ${near}?`;
    return warning(path, `names the module "${module}", which no deployment has: ${effect}.${hint}`);
  };
  const names = [...known].map((name) => name.toLowerCase());
  return [
    ...read.warnings.map((message) => warning(path, message)),
    // Sources match without regard to case.
    ...(read.sourceModule !== undefined && !names.includes(read.sourceModule.toLowerCase())
      ? [unknown(read.sourceModule, 'the route takes no messages')]
      : []),
    ...(read.sink.kind === 'module' && !known.has(read.sink.module)
      ? [unknown(read.sink.module, 'edgeHub keeps its messages until they expire')]
      : []),
  ];
}

/** `null` for a module or route that no earlier deployment sets. */
function needlessRemovals({ deployments }: EdgeFile, index: number): readonly ErrorDetail[] {
  const own = deployments[index];
  const earlier = deployments.slice(0, index);
  return (['modules', 'routes'] as const).flatMap((part) =>
    Object.entries(own?.[part] ?? {}).flatMap(([name, value]) =>
      value === null && !earlier.some((deployment) => Object.hasOwn(deployment[part], name))
        ? [
            warning(
              ['edge', 'deployments', index, part, name],
              'is null, and no earlier deployment sets it: remove it, or write this deployment after the other one',
            ),
          ]
        : [],
    ),
  );
}

function similarNames(known: ReadonlySet<string>): readonly ErrorDetail[] {
  const byName = new Map<string, string>();
  return [...known].flatMap((name) => {
    const other = byName.get(name.toLowerCase());
    byName.set(name.toLowerCase(), name);
    return other === undefined
      ? []
      : [
          warning(
            ['edge', 'deployments'],
            `has the modules "${other}" and "${name}": edgeHub does not distinguish them in the sources of routes. Use different names`,
          ),
        ];
  });
}
