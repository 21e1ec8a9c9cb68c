import type { NewerFormat } from '../json/document-format.ts';
import type { MetNewerFormat } from '../store/tables/newer-format.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Log } from './log.ts';

/** A format that is newer than this package, and how often and when this instance has read it. */
export interface NewerFormatSeen extends NewerFormat {
  readonly times: number;
  readonly since: EpochMs;
  readonly lastAt: EpochMs;
}

export interface NewerFormatsOptions {
  readonly now: () => EpochMs;
  readonly log: Log;
}

/** A batch that waits for a newer package is tried every minute. A format that was not read for this long is over. */
const LASTS_MS = 10 * 60_000;
/** The shortest time between two log lines about the same format. */
const LINE_EVERY_MS = 60_000;

interface Entry extends NewerFormatSeen {
  readonly loggedAt: EpochMs;
  /** Read since the last log line. */
  readonly unlogged: number;
}

/**
 * The documents of a newer package that this instance has read. Work that needs them waits for that package. The log and
 * `/api/health` show them.
 */
export class NewerFormats {
  readonly #options: NewerFormatsOptions;
  /** By document and format. There are few. */
  readonly #entries = new Map<string, Entry>();

  constructor(options: NewerFormatsOptions) {
    this.#options = options;
  }

  /** Counts one document, and logs each format at most once a minute. */
  readonly met = ({ of, ...newer }: MetNewerFormat): void => {
    const { now, log } = this.#options;
    const at = now();
    const key = `${newer.document} ${newer.format}`;
    const known = this.#entries.get(key);
    const before = known !== undefined && !isOver(known, at) ? known : undefined;
    const unlogged = (before?.unlogged ?? 0) + 1;
    const isLogged = before === undefined || at - before.loggedAt >= LINE_EVERY_MS;
    if (isLogged) log('error', 'newerFormat', { code: 'BERTH_FORMAT_NEWER', ...newer, of, times: unlogged });
    this.#entries.set(key, {
      ...newer,
      times: (before?.times ?? 0) + 1,
      since: before?.since ?? at,
      lastAt: at,
      loggedAt: isLogged ? at : before.loggedAt,
      unlogged: isLogged ? 0 : unlogged,
    });
  };

  /** The formats that were read in the last ten minutes. */
  list(): readonly NewerFormatSeen[] {
    const at = this.#options.now();
    return [...this.#entries.values()]
      .filter((entry) => !isOver(entry, at))
      .map(({ loggedAt: _, unlogged: __, ...seen }) => seen);
  }
}

function isOver({ lastAt }: NewerFormatSeen, now: EpochMs): boolean {
  return now - lastAt > LASTS_MS;
}
