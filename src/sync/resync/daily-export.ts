import * as z from 'zod';
import { BerthError } from '../../errors.ts';
import { exportText } from '../../store/export/state-export.ts';
import type { StateExporter } from '../../store/export/state-exporter.ts';
import type { ProgressStore } from '../../store/state/progress-store.ts';
import { dayOf } from '../../time/day.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import type { SyncContext } from '../reconcile/sync-context.ts';

/** The container of the exports. It keeps every export under its own name. */
export interface ExportContainer {
  /** The storage account, for people. */
  readonly place: string;
  /** Stores a new blob. @throws BerthError `BERTH_EXPORT_FAILED` */
  keep(name: string, text: string): Promise<void>;
}

const stateSchema = z.object({
  /** When the last export was made. */
  at: epochMsSchema.optional(),
  /** The name of its blob, and its size. */
  blob: z.string().optional(),
  bytes: z.number().optional(),
  /** Rows that it lacks, because they are damaged. */
  damaged: z.number().default(0),
  /** The last failure since then. */
  failed: z.object({ at: epochMsSchema, why: z.string() }).optional(),
});

/** The last daily export, and whether a later one has failed. */
export type DailyExportState = z.output<typeof stateSchema>;

const NAME = 'state-export';
/** After a failure. */
const TRY_AGAIN_MS = 60 * 60_000;

/** Undefined: no export was tried yet. */
export async function readDailyExport(
  progress: Pick<ProgressStore, 'read'>,
): Promise<DailyExportState | undefined> {
  return stateSchema.safeParse(await progress.read(NAME)).data;
}

/** What a daily export needs. */
export interface DailyExportContext extends Pick<SyncContext, 'gate' | 'now' | 'warn'> {
  readonly exporter: Pick<StateExporter, 'export'>;
  readonly progress: Pick<ProgressStore, 'read' | 'write'>;
  /** @throws BerthError `BERTH_SETTING_INVALID`. Undefined: no setting names an account. */
  readonly container: () => ExportContainer | undefined;
  readonly stamp: string | undefined;
}

/**
 * Exports the state once a day (UTC), as a new blob. After a failure it tries again in an hour. A failure is logged and stored,
 * and does not end the run.
 *
 * @returns whether it has made an export
 * @throws BerthError `BERTH_STORE_UNAVAILABLE` if the progress cannot be read or written
 */
export async function exportDaily(context: DailyExportContext): Promise<boolean> {
  const { gate, now, warn, progress } = context;
  const before = await readDailyExport(progress);
  // The export of an older package would lack what it does not know.
  if (!isDue(before, now()) || (await gate.current()).isOutdated) return false;
  try {
    const container = context.container();
    if (container === undefined) return false;
    await progress.write(NAME, { ...(await exportTo(container, context)) });
    return true;
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    const { code, message } = error;
    warn(`The daily export of the state has failed: ${message}`, {
      code: 'BERTH_EXPORT_FAILED',
      cause: code,
    });
    const failed = { at: now(), why: message };
    await progress.write(NAME, JSON.parse(JSON.stringify({ ...before, failed })));
    return false;
  }
}

function isDue(state: DailyExportState | undefined, now: EpochMs): boolean {
  const { at, failed } = state ?? {};
  if (failed !== undefined && now - failed.at < TRY_AGAIN_MS) return false;
  return at === undefined || dayOf(at) !== dayOf(now);
}

async function exportTo(
  container: ExportContainer,
  { exporter, now, stamp }: DailyExportContext,
): Promise<{
  readonly at: EpochMs;
  readonly blob: string;
  readonly bytes: number;
  readonly damaged: number;
}> {
  const at = now();
  const { exported, damaged } = await exporter.export({ now: at, from: container.place, stamp });
  const text = exportText(exported);
  const blob = `${stamp ?? 'main'}/${exported.exportedAt.replaceAll(':', '').slice(0, 17)}Z.json`;
  await container.keep(blob, text);
  return { at, blob, bytes: Buffer.byteLength(text), damaged: damaged.length };
}
