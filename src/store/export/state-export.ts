import * as z from 'zod';
import { BerthError, type ErrorDetail } from '../../errors.ts';
import { sha256Hex } from '../../json/hash.ts';
import { canonicalJson, type JsonValue } from '../../json/json.ts';
import { type MetNewerFormat, NewerFormatError } from '../tables/newer-format.ts';
import { STATE_PARTS, type StatePart } from './state-parts.ts';

/** What the member `format` of every export says. */
const KIND = 'berth-state';
/** The version of the document around the parts. Each document in a part has a format of its own. */
const VERSION = 1;

const json = z.custom<JsonValue>((value) => value !== undefined);
const documentSchema = z.object({
  key: z.string().min(1).max(500),
  format: z.number(),
  document: json,
});
const exportSchema = z.object({
  format: z.literal(KIND),
  version: z.literal(VERSION),
  /** ISO 8601, UTC. */
  exportedAt: z.iso.datetime(),
  /** A storage account of the deployment, for people: that of the state, or that of the daily exports. */
  from: z.string(),
  /** The stamp of the deployment. Null: the deployment has no stamps. */
  stamp: z.string().nullable(),
  /** Identifies the redaction key, which is not in the export. Null: there was no key. */
  redactionKey: z.string().nullable(),
  /** By the name of the part. */
  parts: z.record(z.string(), z.array(documentSchema)),
  /** SHA-256 of everything else, as canonical JSON. */
  sha256: z.string(),
});

/** One document of an export: the key of its row, the number of its format, and itself. */
export type ExportedDocument = z.output<typeof documentSchema>;
/** The state that people made, as `berth state export` writes it. */
export type StateExport = z.output<typeof exportSchema>;

/** A new export with its checksum. */
export function stateExport(
  facts: Pick<StateExport, 'exportedAt' | 'from' | 'stamp' | 'redactionKey' | 'parts'>,
): StateExport {
  const content = { format: KIND, version: VERSION, ...facts } as const;
  return { ...content, sha256: checksum(content) };
}

/** The text of an export, which ends with a line break. */
export function exportText(exported: StateExport): string {
  return `${JSON.stringify(exported, null, 1)}\n`;
}

/** An export whose documents are in the formats of this package. */
export interface ReadExport extends Omit<StateExport, 'parts'> {
  readonly documents: ReadonlyMap<StatePart, readonly Pick<ExportedDocument, 'key' | 'document'>[]>;
}

/**
 * Reads an export completely, so that an import of it cannot stop in the middle.
 *
 * @param found the JSON of the file. @param file its name, for messages.
 * @throws BerthError `BERTH_EXPORT_INVALID` if it is no export, or if it was changed or damaged
 * @throws BerthError `BERTH_FORMAT_NEWER` if a newer package has written it
 */
export function readExport(found: unknown, file: string): ReadExport {
  const head = z.object({ format: z.literal(KIND), version: z.number() }).safeParse(found);
  if (!head.success) {
    throw invalidExport(`${file} is not an export of "berth state export": its "format" must be "${KIND}".`);
  }
  if (head.data.version > VERSION) {
    throw newer({ document: 'state export', of: file, format: head.data.version, known: VERSION });
  }
  const parsed = exportSchema.safeParse(found);
  if (!parsed.success) {
    const details = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
    throw invalidExport(`${file} is a damaged export.`, details);
  }
  const { sha256, ...content } = parsed.data;
  if (checksum(found as JsonValue) !== sha256) {
    throw invalidExport(
      `${file} was changed or damaged after it was exported: its checksum does not match. Use an unchanged export.`,
    );
  }
  const unknown = Object.keys(content.parts).find((name) => !STATE_PARTS.some((part) => part.name === name));
  if (unknown !== undefined) {
    throw new BerthError(
      'BERTH_FORMAT_NEWER',
      `${file} has the part "${unknown.slice(0, 64)}", which this package does not know: use the package that wrote it, or a newer one.`,
    );
  }
  const documents = STATE_PARTS.map(
    (part) => [part, readPart(part, content.parts[part.name] ?? [], file)] as const,
  );
  return { ...parsed.data, documents: new Map(documents) };
}

function readPart(
  part: StatePart,
  exported: readonly ExportedDocument[],
  file: string,
): readonly Pick<ExportedDocument, 'key' | 'document'>[] {
  const keys = new Set<string>();
  return exported.map(({ key, format, document }) => {
    const read = part.read(format, document);
    if (read.kind === 'newer') throw newer({ ...read.newer, of: file });
    if (read.kind === 'damaged' || !part.owns(key) || !KEY.test(key) || keys.has(key)) {
      throw invalidExport(
        `${file} is a damaged export: the ${part.one} ${JSON.stringify(key)} cannot be used.`,
      );
    }
    keys.add(key);
    return { key, document: read.value };
  });
}

/** What row keys of these parts consist of: printable ASCII without the characters that keys may not contain. */
const KEY = /^[^/\\#?\p{C}]+$/u;

/** Of everything but the checksum itself. */
function checksum(content: JsonValue | object): string {
  const { sha256: _, ...rest } = content as Readonly<Record<string, JsonValue>>;
  return sha256Hex(canonicalJson(JSON.parse(JSON.stringify(rest)) as JsonValue));
}

function newer(met: MetNewerFormat): NewerFormatError {
  return new NewerFormatError(met);
}

function invalidExport(message: string, details: readonly ErrorDetail[] = []): BerthError {
  return new BerthError('BERTH_EXPORT_INVALID', message, { details });
}
