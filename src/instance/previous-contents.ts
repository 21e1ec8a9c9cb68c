import type { ContentToRead } from '../control/rollouts.ts';
import type { EdgeDeployment } from '../fleet/edge/edge.ts';
import { parseFleet } from '../fleet/file/parse.ts';
import { withPrevious } from '../fleet/file/previous.ts';
import type { Fleet, Policy } from '../fleet/fleet.ts';
import type { FleetRevision } from '../store/state/revisions.ts';
import { NewerFormatError } from '../store/tables/newer-format.ts';
import type { Log } from './log.ts';

type EarlierContent = Policy | EdgeDeployment;

export interface PreviousContentsOptions {
  readonly read: (revision: string) => Promise<FleetRevision | undefined>;
  readonly log: Log;
}

/**
 * The contents of earlier fleet files that devices keep until a rollout reaches them, from the stored revisions. A content
 * never changes, so each one is read once.
 */
export class PreviousContents {
  readonly #options: PreviousContentsOptions;
  /** By hash. `null`: no stored revision has it. */
  readonly #known = new Map<string, EarlierContent | null>();
  #last: { readonly fleet: Fleet; readonly key: string; readonly result: Fleet } | undefined;

  constructor(options: PreviousContentsOptions) {
    this.#options = options;
  }

  /** The fleet file with these contents. @throws BerthError `BERTH_STORE_UNAVAILABLE` */
  async addTo(fleet: Fleet, contents: readonly ContentToRead[]): Promise<Fleet> {
    if (contents.length === 0) return fleet;
    const key = contents.map(({ content }) => content).join(' ');
    if (this.#last?.fleet === fleet && this.#last.key === key) return this.#last.result;
    for (const content of contents) if (!this.#known.has(content.content)) await this.#read(content);
    const found = contents.flatMap(({ content }) => this.#known.get(content) ?? []);
    const policies = found.flatMap((each) => ('leaves' in each ? [each] : []));
    const deployments = found.flatMap((each) => ('leaves' in each ? [] : [each]));
    const result = withPrevious(fleet, policies, deployments);
    this.#last = { fleet, key, result };
    return result;
  }

  async #read({ content, name, revision }: ContentToRead): Promise<void> {
    const stored = await this.#readStored(revision);
    const parsed = stored === undefined ? undefined : parseFleet(stored.text, stored.models);
    const contents: readonly EarlierContent[] =
      parsed?.ok === true ? [...parsed.fleet.twins.policies, ...(parsed.fleet.edge?.deployments ?? [])] : [];
    const found = contents.find(({ hash }) => hash === content);
    this.#known.set(content, found ?? null);
    if (found === undefined) this.#options.log('warn', 'previousContentMissing', { policy: name, revision });
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
