import * as z from 'zod';
import type { HostName } from '../../iot-hub/host-name.ts';
import type { DocumentFormat } from '../../json/document-format.ts';
import { addEvidence, evidenceSchema, type LivenessEvidence, NO_EVIDENCE } from '../../liveness/evidence.ts';
import type { ShardEvidence } from '../../liveness/evidence-counters.ts';
import { type HubLiveness, livenessSchema } from '../../liveness/liveness.ts';
import { type EventReader, NO_READER, readerSchema } from '../../liveness/reader.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { epochMsSchema } from '../../time/epoch-ms-schema.ts';
import { escapeId } from '../tables/keys.ts';
import type { OnNewerFormat } from '../tables/newer-format.ts';
import { StoredDocuments } from '../tables/stored-documents.ts';
import type { Row, Table } from '../tables/tables.ts';

const PARTITION = 'liveness';
const RUN = 'run';

const runSchema = z.object({ ranAt: epochMsSchema, reader: readerSchema });
type Run = z.output<typeof runSchema>;

/** All rows of liveness have one format. A change of a schema is a new format with a step. */
function livenessFormat<Value>(schema: z.ZodType<Value>): DocumentFormat<Value> {
  return { document: 'liveness', steps: [], read: (document) => schema.safeParse(document).data };
}
export const EVIDENCE_FORMAT = livenessFormat(evidenceSchema);
export const HUB_LIVENESS_FORMAT: DocumentFormat<HubLiveness> = livenessFormat(
  livenessSchema as z.ZodType<HubLiveness>,
);
export const LIVENESS_RUN_FORMAT = livenessFormat(runSchema as z.ZodType<Run>);

/** Everything that is stored about liveness. Rows that are damaged or of a newer package are left out. */
export interface StoredLiveness {
  /** The last run of `resyncFleet`. Undefined: none is known. */
  readonly ranAt: EpochMs | undefined;
  readonly reader: EventReader;
  readonly hubs: ReadonlyMap<HostName, HubLiveness>;
  /** By hub and shard. */
  readonly evidence: ReadonlyMap<HostName, ReadonlyMap<string, LivenessEvidence>>;
}

/**
 * What shows whether the events of the hubs arrive: one row for each hub and partition of the Event Hub, which instances add to
 * about once a minute; one for each hub and one for the run, which `resyncFleet` writes. One query reads all of them.
 */
export class LivenessStore {
  readonly #table: Table;
  readonly #evidence: StoredDocuments<LivenessEvidence>;
  readonly #hubs: StoredDocuments<HubLiveness>;
  readonly #runs: StoredDocuments<Run>;

  constructor(table: Table, onNewer?: OnNewerFormat) {
    this.#table = table;
    this.#evidence = new StoredDocuments(EVIDENCE_FORMAT, onNewer);
    this.#hubs = new StoredDocuments(HUB_LIVENESS_FORMAT, onNewer);
    this.#runs = new StoredDocuments(LIVENESS_RUN_FORMAT, onNewer);
  }

  async read(): Promise<StoredLiveness> {
    const hubs = new Map<HostName, HubLiveness>();
    const evidence = new Map<HostName, Map<string, LivenessEvidence>>();
    let run: Run | undefined;
    for (const row of await this.#table.list({ partitionKey: PARTITION })) {
      const [kind, host = '', shard = ''] = row.rowKey.split('|');
      if (kind === RUN) run = known(this.#runs, row);
      const hub = kind === 'hub' ? known(this.#hubs, row) : undefined;
      if (hub !== undefined) hubs.set(host as HostName, hub);
      const found = kind === 'echo' ? known(this.#evidence, row) : undefined;
      if (found !== undefined) {
        const shards = evidence.get(host as HostName) ?? new Map<string, LivenessEvidence>();
        evidence.set(host as HostName, shards.set(shard, found));
      }
    }
    return { ranAt: run?.ranAt, reader: run?.reader ?? NO_READER, hubs, evidence };
  }

  /** Adds what an instance has collected. Other instances may do so at the same time. */
  async addEvidence({ host, shard, evidence }: ShardEvidence, now: EpochMs): Promise<void> {
    await this.#table.update(PARTITION, `echo|${host}|${escapeId(shard)}`, (row) => {
      const read = row === undefined ? undefined : this.#evidence.read(row, row.rowKey);
      if (read?.kind === 'newer') return { put: 'unchanged', result: undefined };
      const before = read?.kind === 'known' ? read.value : NO_EVIDENCE;
      return { put: this.#evidence.columns(addEvidence(before, evidence, now)), result: undefined };
    });
  }

  /** Stores the assessment of one hub. Only the run of `resyncFleet` that has the lease writes it. */
  async writeHub(host: HostName, liveness: HubLiveness): Promise<void> {
    await this.#write(`hub|${host}`, this.#hubs, liveness);
  }

  /** Stores when `resyncFleet` ran, and how far the Event Hub is read. */
  async writeRun(ranAt: EpochMs, reader: EventReader): Promise<void> {
    await this.#write(RUN, this.#runs, { ranAt, reader });
  }

  async #write<Value>(rowKey: string, documents: StoredDocuments<Value>, value: Value): Promise<void> {
    await this.#table.update(PARTITION, rowKey, (row) => {
      const isNewer = row !== undefined && documents.newerIn(row, row.rowKey) !== undefined;
      return { put: isNewer ? 'unchanged' : documents.columns(value), result: undefined };
    });
  }
}

function known<Value>(documents: StoredDocuments<Value>, row: Row): Value | undefined {
  const read = documents.read(row, row.rowKey);
  return read.kind === 'known' ? read.value : undefined;
}
