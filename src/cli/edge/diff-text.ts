import type {
  FieldChange,
  ManifestDiff,
  ModuleChange,
  RouteChange,
  VariableChange,
} from '../../edge/manifest-diff.ts';
import { printable } from '../shell/printable.ts';

const SIGNS = { added: '+', removed: '-', changed: '~' } as const;
/** Longer texts are cut. */
const WIDTH = 100;

/** What an apply would change, one line for each module, route and part of the runtime. */
export function diffLines({ modules, routes, runtime }: ManifestDiff): readonly string[] {
  return [
    ...modules.map((change) => `${SIGNS[change.kind]} module ${change.name}: ${moduleText(change)}`),
    ...routes.map((change) => `${SIGNS[change.kind]} route ${change.name}: ${routeText(change)}`),
    ...runtime.map((change) => `~ runtime ${change}`),
  ].map((line) => printable(line));
}

function moduleText({ kind, image, env, fields }: ModuleChange): string {
  if (kind === 'removed') return `goes (image ${image?.from ?? 'unknown'})`;
  const parts = [
    ...(image === undefined
      ? []
      : [image.from === null ? `image ${image.to}` : `image ${image.from} becomes ${image.to}`]),
    ...env.map(variableText),
    ...fields.filter((field) => kind === 'changed' || field.to !== null).map(fieldText),
  ];
  return parts.join('; ');
}

function variableText({ name, kind, to }: VariableChange): string {
  return kind === 'removed'
    ? `env ${name} goes`
    : `env ${name} ${kind === 'added' ? 'is' : 'becomes'} ${shown(to)}`;
}

function fieldText({ field, from, to }: FieldChange): string {
  // Options may hold secrets, and they are long.
  if (field === 'createOptions') return 'createOptions change';
  return `${field} ${shown(from)} becomes ${shown(to)}`;
}

function routeText({ kind, from, to }: RouteChange): string {
  switch (kind) {
    case 'added':
      return shown(to);
    case 'removed':
      return `goes (${shown(from)})`;
    case 'changed':
      return `${shown(from)} becomes ${shown(to)}`;
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}
