import type { ContentToRead } from '../control/rollouts.ts';
import type { EdgeDeployment } from '../fleet/edge/edge.ts';
import { parseFleet } from '../fleet/file/parse.ts';
import { withPrevious } from '../fleet/file/previous.ts';
import type { Fleet, Policy } from '../fleet/fleet.ts';
import type { FleetRevision } from '../store/state/revisions.ts';
import { NewerFormatError } from '../store/tables/newer-format.ts';
import type { EpochMs } from '../time/epoch-ms.ts';
import type { Log } from './log.ts';

type EarlierContent = Policy | EdgeDeployment;

export interface PreviousContentsOptions {
  readonly read: (revision: string) => Promise<FleetRevision | undefined>;
  readonly log: Log;
  readonly now: () => EpochMs;
}

/** How often an earlier content that cannot be read is tried again. */
const TRY_AGAIN_MS = 5 * 60_000;

/** An earlier content that could not be read. */
interface Unreadable {
  readonly content: ContentToRead;
  readonly triedAt: EpochMs;
  /** The generation of the control row at that time. */
  readonly generation: number | undefined;
}

/**
 * The contents of earlier fleet files that devices keep until a rollout reaches them, from the stored revisions. A content
 * never changes, so each one is read once. One that cannot be read is tried again every five minutes, and when every twin is
 * planned again, as after an import.
 */
export class PreviousContents {
  readonly #options: PreviousContentsOptions;
  /** By hash. */
  readonly #known = new Map<string, EarlierContent>();
  /** By hash: those of the last call only. */
  #unreadable: ReadonlyMap<string, Unreadable> = new Map();
  #last: { readonly fleet: Fleet; readonly key: string; readonly result: Fleet } | undefined;

  constructor(options: PreviousContentsOptions) {
    this.#options = options;
  }

  /** The contents that rollouts need and that cannot be read: their fleet file is missing, damaged or not accepted any more. */
  get unreadable(): readonly ContentToRead[] {
    return [...this.#unreadable.values()].map(({ content }) => content);
  }

  isUnreadable(hash: string): boolean {
    return this.#unreadable.has(hash);
  }

  /**
   * The fleet file with these contents.
   *
   * @param generation of the control row. Default: not known.
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`
   */
  async addTo(fleet: Fleet, contents: readonly ContentToRead[], generation?: number): Promise<Fleet> {
    await this.#readAll(contents, generation);
    if (contents.length === 0) return fleet;
    const key = contents.map(({ content }) => `${content} ${this.#known.has(content)}`).join(' ');
    if (this.#last?.fleet === fleet && this.#last.key === key) return this.#last.result;
    const found = contents.flatMap(({ content }) => this.#known.get(content) ?? []);
    const policies = found.flatMap((each) => ('leaves' in each ? [each] : []));
    const deployments = found.flatMap((each) => ('leaves' in each ? [] : [each]));
    const result = withPrevious(fleet, policies, deployments);
    this.#last = { fleet, key, result };
    return result;
  }

  async #readAll(contents: readonly ContentToRead[], generation: number | undefined): Promise<void> {
    const unreadable = new Map<string, Unreadable>();
    for (const content of contents) {
      const { content: hash } = content;
      if (this.#known.has(hash)) continue;
      const before = this.#unreadable.get(hash);
      const now = this.#options.now();
      const isTried =
        before !== undefined && before.generation === generation && now - before.triedAt < TRY_AGAIN_MS;
      if (isTried) unreadable.set(hash, before);
      else if (!(await this.#read(content))) unreadable.set(hash, { content, triedAt: now, generation });
    }
    this.#unreadable = unreadable;
  }

  /** @returns whether the content could be read */
  async #read({ content, name, revision }: ContentToRead): Promise<boolean> {
    const stored = await this.#readStored(revision);
    const parsed = stored === undefined ? undefined : parseFleet(stored.text, stored.models);
    const contents: readonly EarlierContent[] =
      parsed?.ok === true ? [...parsed.fleet.twins.policies, ...(parsed.fleet.edge?.deployments ?? [])] : [];
    const found = contents.find(({ hash }) => hash === content);
    if (found !== undefined) this.#known.set(content, found);
    else {
      const facts = { code: 'BERTH_PREVIOUS_CONTENT_MISSING', policy: name, revision };
      this.#options.log('warn', 'previousContentMissing', facts);
    }
    return found !== undefined;
  }

  /** A revision of a newer package counts as none. */
  async #readStored(revision: string): Promise<FleetRevision | undefined> {
    try {
      return await this.#options.read(revision);
    } catch (error) {
      if (error instanceof NewerFormatError) return undefined;
      throw error;
    }
  }
}
