import { createHash } from 'node:crypto';
import { existsSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { describe } from '@jest/globals';
import { findCompiler } from '../support/bicep/find-compiler.ts';
import { BICEP_COMPILER } from '../support/run/bicep-compiler.ts';

/** A `describe` whose tests need the Bicep compiler. Without one they are skipped; `compiler.test.ts` says so. */
export const describeBicep = 'path' in findCompiler(process.env) ? describe : describe.skip;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A resource that a deployment would create. What is known only then is an expression: a text in brackets. */
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly location?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties?: Json;
  readonly [other: string]: unknown;
}

export interface Snapshot {
  readonly predictedResources: readonly Resource[];
  readonly outputs: Readonly<Record<string, Json>>;
}

export interface Diagnostic {
  readonly source: string;
  readonly code: string;
  readonly message: string;
}

/** A compiled template, as Azure Resource Manager takes it. */
export interface Template {
  readonly parameters?: Readonly<Record<string, TemplateValue>>;
  readonly outputs?: Readonly<Record<string, TemplateValue>>;
  readonly resources?: Readonly<Record<string, unknown>>;
}

export interface TemplateValue {
  readonly allowedValues?: readonly Json[];
  readonly defaultValue?: Json;
  readonly metadata?: { readonly description?: string; readonly azd?: { readonly type?: string } };
}

const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';

/** What a parameter file would create. Rejects with what the compiler, or a `fail()` of the templates, says. */
export async function snapshotOfFile(path: string): Promise<Snapshot> {
  const answer = await ask('bicep/getSnapshot', {
    path: resolve(path),
    metadata: { subscriptionId: SUBSCRIPTION, location: 'westeurope' },
  });
  return JSON.parse((answer as { readonly snapshot: string }).snapshot) as Snapshot;
}

/** Parameters of `infra/main.bicep`. */
export type Parameters = Readonly<Record<string, Json>>;

/** What `infra/main.bicep` would create with these parameters. */
export async function snapshotOf(parameters: Parameters): Promise<Snapshot> {
  const values: Parameters = { environmentName: 'berth-test', location: 'westeurope', ...parameters };
  const folder = realpathSync(tmpdir());
  // The compiler takes a compiled template as well. So it compiles the template only once.
  const template = await contentsOf('infra/main.bicep');
  const compiled = `${digest(template)}.json`;
  writeOnce(join(folder, compiled), template);
  const text = [
    `using '${compiled}'`,
    ...Object.entries(values).map(([name, value]) => `param ${name} = ${literal(value)}`),
    '',
  ].join('\n');
  // The same parameters are the same file, which is evaluated once.
  const path = join(folder, `${digest(text)}.bicepparam`);
  writeOnce(path, text);
  return snapshotOfFile(path);
}

export async function diagnosticsOf(path: string): Promise<readonly Diagnostic[]> {
  const method = path.endsWith('param') ? 'bicep/compileParams' : 'bicep/compile';
  const answer = await ask(method, { path: resolve(path), parameterOverrides: {} });
  return (answer as { readonly diagnostics: readonly Diagnostic[] }).diagnostics;
}

export async function templateOf(path: string): Promise<Template> {
  return JSON.parse(await contentsOf(path)) as Template;
}

/** A compiled template as the compiler writes it. */
async function contentsOf(path: string): Promise<string> {
  return ((await ask('bicep/compile', { path: resolve(path) })) as { readonly contents: string }).contents;
}

/** Writes a file whose name is that of its contents. The compiler may read it at the same time, for another suite. */
function writeOnce(path: string, text: string): void {
  if (existsSync(path)) return;
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, path);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The file as `bicep format` writes it. */
export async function formatted(path: string): Promise<string> {
  return ((await ask('bicep/format', { path: resolve(path) })) as { readonly contents: string }).contents;
}

/** Every file that a parameter file or template is made of, itself included. */
export async function filesOf(path: string): Promise<readonly string[]> {
  const answer = await ask('bicep/getFileReferences', { path: resolve(path) });
  return (answer as { readonly filePaths: readonly string[] }).filePaths.map((file) =>
    relative(process.cwd(), file),
  );
}

async function ask(method: string, params: unknown): Promise<unknown> {
  const url = process.env[BICEP_COMPILER];
  if (url === undefined) throw new Error(`${BICEP_COMPILER} is not set: only Jest's global setup sets it`);
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ method, params }) });
  const { result, error } = (await response.json()) as { readonly result: unknown; readonly error?: string };
  if (error !== undefined) throw new Error(error);
  return result;
}

function literal(value: Json): string {
  if (typeof value === 'string')
    return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('$', '\\$')}'`;
  if (Array.isArray(value)) return `[\n${value.map((each) => `${literal(each)}\n`).join('')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = Object.entries(value).map(([key, member]) => `${literal(key)}: ${literal(member)}\n`);
  return `{\n${members.join('')}}`;
}
