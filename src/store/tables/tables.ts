import type { TableClient, TransactionAction } from '@azure/data-tables';
import { BerthError, nothingAnswers } from '../../errors.ts';
import { PLAIN_KEYS, type StoredKeys, TWIN_KEYS } from './keys.ts';
import { untilStored } from './optimistic.ts';
import { asRestError, hasNoToken, noTokenError } from './rest-error.ts';

/** The tables that Berth keeps its state in. */
export const TABLES = {
  /** Snapshots, work items, attention and tombstones. */
  twins: 'berthtwins',
  /** Control row, conditions, counts of twins, fleet revisions, leases, counts of events that are not stored. */
  state: 'berthstate',
  receipts: 'berthreceipts',
  deadLetters: 'berthdeadletters',
} as const;

export type TableName = keyof typeof TABLES;

/** The code of the service for a table that does not exist ("Table service error codes"). */
const NO_TABLE = 'TableNotFound';

/** Where the tables are: a storage connection string, or the table service of an account with an identity. */
export type StateAccount =
  | { readonly kind: 'connectionString'; readonly connectionString: string }
  | { readonly kind: 'identity'; readonly tableServiceUri: string; readonly clientId: string | undefined };

/** The deadline of a call with its retries. After it, the store counts as unavailable. */
const CALL_DEADLINE_MS = 8_000;
/** The deadline of a query with many pages. */
const LIST_DEADLINE_MS = 30_000;
const RETRIES = { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 } as const;

/**
 * Uses a signal and not the `timeout` of the pipeline. That one ends when the headers arrive, and its timer keeps running
 * after an error (@typespec/ts-http-runtime 0.3.6, nodeHttpClient).
 */
function inTime(ms = CALL_DEADLINE_MS): { readonly abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(ms) };
}

export interface Row {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly etag: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The result of a change of a row. */
export interface RowUpdate<Result> {
  /** The new properties, which replace the old ones. `'unchanged'`: nothing is written. */
  readonly put: Row['properties'] | 'unchanged';
  readonly result: Result;
}

export interface TableQuery {
  readonly partitionKey: string;
  /** A range of row keys. `from` is inclusive, `to` is exclusive. */
  readonly range?: readonly [from: string, to: string];
  readonly select?: readonly string[];
  readonly limit?: number;
  /** Only rows whose column has this text. The service reads all other rows of the range too. */
  readonly where?: readonly [column: string, text: string];
}

export interface Scan extends Pick<TableQuery, 'select' | 'where'> {
  /** One partition, by its key as it is stored. */
  readonly partition?: string;
  /** A range of partition keys as they are stored. `from` is inclusive, `to` is exclusive. */
  readonly partitions?: readonly [from: string, to: string];
  /** A range of row keys as they are stored. `from` is inclusive, `to` is exclusive. */
  readonly range?: readonly [from: string, to: string];
}

/**
 * One table. Expected failures become `undefined` or `'conflict'`. All others become `BERTH_STORE_UNAVAILABLE`.
 */
export class Table {
  readonly #client: () => Promise<TableClient>;
  readonly #name: TableName;
  readonly #keys: StoredKeys;
  /** Whether an answer has shown that the table exists. */
  #exists = false;
  #creation: Promise<void> | undefined;
  /** Whether its rows need more than one page. Undefined: this is not known yet. */
  #isLarge: boolean | undefined;

  /** @param keys how the keys are stored. Default: as they are. */
  constructor(name: TableName, client: () => Promise<TableClient>, keys: StoredKeys = PLAIN_KEYS) {
    this.#name = name;
    this.#client = client;
    this.#keys = keys;
  }

  /** One row. Undefined: it does not exist. */
  async get(partitionKey: string, rowKey: string): Promise<Row | undefined> {
    const stored = this.#keys.toStored(partitionKey, rowKey);
    return this.#call(
      async (client) => {
        const entity = await client.getEntity(stored.partitionKey, stored.rowKey, {
          ...inTime(),
        });
        return this.#rowOf(entity);
      },
      { notFound: undefined },
    );
  }

  /** All rows of a query, in the order of their keys. */
  async list({ partitionKey, range, select, limit, where }: TableQuery): Promise<readonly Row[]> {
    const { odata } = await import('@azure/data-tables');
    const [from, to] = (range ?? ['', '']).map((bound) => this.#keys.toStored(partitionKey, bound));
    const filter = [
      odata`PartitionKey eq ${from?.partitionKey ?? partitionKey}`,
      ...(range === undefined ? [] : [odata`RowKey ge ${from?.rowKey} and RowKey lt ${to?.rowKey}`]),
      ...(where === undefined ? [] : [`${where[0]}${odata` eq ${where[1]}`}`]),
    ].join(' and ');
    return this.#call(async (client) => {
      const rows: Row[] = [];
      const pages = client
        .listEntities({
          queryOptions: {
            filter,
            ...(select === undefined ? {} : { select: ['PartitionKey', 'RowKey', ...select] }),
          },
          ...inTime(LIST_DEADLINE_MS),
        })
        .byPage({ maxPageSize: Math.min(limit ?? 1_000, 1_000) });
      for await (const page of pages) {
        for (const entity of page) {
          const row = this.#rowOf(entity);
          // Without a range, a stored partition may have rows of others.
          if (row.partitionKey !== partitionKey) continue;
          rows.push(row);
          if (rows.length === limit) return rows;
        }
      }
      return rows;
    });
  }

  /**
   * All rows of one, some or all partitions, page by page, in the order of the keys. Each page has its own deadline. A full scan is only
   * for commands; functions stop after a few pages.
   */
  async *scan(of: Scan): AsyncGenerator<readonly Row[]> {
    let from: string | undefined;
    do {
      const page = await this.#page(of, from);
      yield page.rows;
      from = page.continuationToken;
    } while (from !== undefined);
  }

  /**
   * All rows of a range of stored row keys in all partitions, in the order of the keys, with one request. Undefined: the table is or was
   * too large for that, so each partition must be read. In a large table, the service would have to look at every row for the range.
   */
  async listIfSmall(of: Pick<Scan, 'range' | 'select'>): Promise<readonly Row[] | undefined> {
    // The first page of all rows, which needs no search, shows the size.
    this.#isLarge ??= (await this.#page({ select: [] })).continuationToken !== undefined;
    if (this.#isLarge) return undefined;
    const { rows, continuationToken } = await this.#page(of);
    if (continuationToken === undefined) return rows;
    this.#isLarge = true;
    return undefined;
  }

  async #page(
    { partition, partitions, range, select, where }: Scan,
    continuationToken?: string,
  ): Promise<{ readonly rows: readonly Row[]; readonly continuationToken: string | undefined }> {
    const { odata } = await import('@azure/data-tables');
    const bounds = [
      ...(partition === undefined ? [] : [odata`PartitionKey eq ${partition}`]),
      ...(partitions === undefined
        ? []
        : [odata`PartitionKey ge ${partitions[0]} and PartitionKey lt ${partitions[1]}`]),
      ...(range === undefined ? [] : [odata`RowKey ge ${range[0]} and RowKey lt ${range[1]}`]),
      ...(where === undefined ? [] : [`${where[0]}${odata` eq ${where[1]}`}`]),
    ];
    const queryOptions = {
      ...(bounds.length === 0 ? {} : { filter: bounds.join(' and ') }),
      ...(select === undefined ? {} : { select: ['PartitionKey', 'RowKey', ...select] }),
    };
    return this.#call(async (client) => {
      const pages = client
        .listEntities({ queryOptions, ...inTime(LIST_DEADLINE_MS) })
        .byPage({ maxPageSize: 1_000, ...(continuationToken === undefined ? {} : { continuationToken }) });
      const { value } = await pages.next();
      const page = value as (Record<string, unknown>[] & { readonly continuationToken?: string }) | undefined;
      return {
        rows: (page ?? []).map((entity) => this.#rowOf(entity)),
        continuationToken: page?.continuationToken,
      };
    });
  }

  /** Writes a row, and replaces an existing one. */
  async put(
    partitionKey: string,
    rowKey: string,
    properties: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await this.#call((client) =>
      client.upsertEntity({ ...properties, ...this.#keys.toStored(partitionKey, rowKey) }, 'Replace', {
        ...inTime(),
      }),
    );
  }

  /** Writes a row if it still has this etag. `undefined`: writes it if it does not exist. */
  async putIfUnchanged(
    partitionKey: string,
    rowKey: string,
    properties: Readonly<Record<string, unknown>>,
    etag: string | undefined,
  ): Promise<'written' | 'conflict'> {
    const entity = { ...properties, ...this.#keys.toStored(partitionKey, rowKey) };
    const options = inTime();
    return this.#call<'written' | 'conflict'>(
      async (client) => {
        if (etag === undefined) await client.createEntity(entity, options);
        else await client.updateEntity(entity, 'Replace', { ...options, etag });
        return 'written';
      },
      // Another writer may have deleted the row after it was read.
      { notFound: 'conflict', conflict: 'conflict' },
    );
  }

  /**
   * Changes or creates a row: reads it, and writes the result of `change` if the row is unchanged. Otherwise it tries again.
   *
   * @param change may be called several times. If it throws, nothing is written.
   * @throws BerthError `BERTH_STORE_UNAVAILABLE`, also if other writers change the row in every try
   * @example
   * await table.update('counts', 'visits', (row) => {
   *   const visits = Number(row?.properties.visits ?? 0) + 1;
   *   return { put: { visits }, result: visits };
   * });
   */
  async update<Result>(
    partitionKey: string,
    rowKey: string,
    change: (current: Row | undefined) => RowUpdate<Result>,
  ): Promise<Result> {
    return untilStored(`The row ${partitionKey}/${rowKey}`, async () => {
      const row = await this.get(partitionKey, rowKey);
      const { put, result } = change(row);
      if (put === 'unchanged') return result;
      const stored = await this.putIfUnchanged(partitionKey, rowKey, put, row?.etag);
      return stored === 'conflict' ? stored : result;
    });
  }

  /** Deletes a row if it still has this etag. */
  async deleteIfUnchanged(
    partitionKey: string,
    rowKey: string,
    etag: string,
  ): Promise<'deleted' | 'conflict'> {
    const stored = this.#keys.toStored(partitionKey, rowKey);
    return this.#call<'deleted' | 'conflict'>(
      async (client) => {
        await client.deleteEntity(stored.partitionKey, stored.rowKey, { ...inTime(), etag });
        return 'deleted';
      },
      { notFound: 'deleted', conflict: 'conflict' },
    );
  }

  async delete(partitionKey: string, rowKey: string): Promise<void> {
    const stored = this.#keys.toStored(partitionKey, rowKey);
    await this.#call<unknown>((client) => client.deleteEntity(stored.partitionKey, stored.rowKey, inTime()), {
      notFound: undefined,
    });
  }

  /**
   * Performs all actions or none. All rows must be in one partition of the table as it is stored. Returns the new etags in order, or the action that failed. A delete is always
   * unconditional, because `submitTransaction` does not pass its etag on.
   */
  async transact(actions: readonly TransactionAction[]): Promise<TransactionResult> {
    const stored = actions.map((action) => this.#stored(action));
    return this.#call<TransactionResult>(async (client) => {
      try {
        const response = await client.submitTransaction(stored, {
          ...inTime(),
        });
        return { ok: true, etags: response.subResponses.map(({ etag }) => etag) };
      } catch (error) {
        const { statusCode, code, message } = asRestError(error);
        if (code === NO_TABLE || (statusCode !== 404 && statusCode !== 409 && statusCode !== 412))
          throw error;
        // The message begins with the index of the action: "2:The update condition …".
        const index = /^(\d+):/.exec(message)?.[1];
        return {
          ok: false,
          failed: index === undefined ? undefined : Number(index),
          why: statusCode === 404 ? 'missing' : 'conflict',
        };
      }
    });
  }

  #stored(action: TransactionAction): TransactionAction {
    const [, { partitionKey, rowKey }] = action;
    const stored = [...action] as TransactionAction;
    stored[1] = { ...action[1], ...this.#keys.toStored(partitionKey, rowKey) };
    return stored;
  }

  #rowOf({ partitionKey, rowKey, etag, ...properties }: Record<string, unknown>): Row {
    const keys = this.#keys.fromStored({ partitionKey: String(partitionKey), rowKey: String(rowKey) });
    return { ...keys, etag: String(etag), properties };
  }

  async #call<Result>(
    act: (client: TableClient) => Promise<Result>,
    ordinary: { readonly notFound?: Result; readonly conflict?: Result } = {},
  ): Promise<Result> {
    try {
      return await this.#perform(act);
    } catch (error) {
      const { statusCode, code, url } = asRestError(error);
      if (statusCode === 404 && 'notFound' in ordinary && code !== NO_TABLE)
        return ordinary.notFound as Result;
      if ((statusCode === 409 || statusCode === 412) && 'conflict' in ordinary)
        return ordinary.conflict as Result;
      if (error instanceof BerthError) throw error;
      if (hasNoToken(error)) throw noTokenError(error);
      if (code === 'ECONNREFUSED' && url !== undefined) {
        throw new BerthError('BERTH_STORE_UNAVAILABLE', nothingAnswers(url));
      }
      if (code === NO_TABLE) {
        throw new BerthError(
          'BERTH_STORE_UNAVAILABLE',
          `The table ${TABLES[this.#name]} was deleted. Stop the app, import the last export with "berth state import", and start the app again.`,
        );
      }
      throw new BerthError(
        'BERTH_STORE_UNAVAILABLE',
        `The state tables cannot be used now (${code ?? statusCode ?? 'no answer'}).`,
      );
    }
  }

  /**
   * Creates the table if its first use finds none: a request to create it before each first use would delay every cold start. After an
   * answer of the table, a missing table was deleted, which is a failure.
   */
  async #perform<Result>(act: (client: TableClient) => Promise<Result>): Promise<Result> {
    const client = await this.#client();
    const existed = this.#exists;
    try {
      const result = await act(client);
      this.#exists = true;
      return result;
    } catch (error) {
      const { statusCode, code } = asRestError(error);
      const isAboutRows = statusCode === 404 || statusCode === 409 || statusCode === 412;
      if (isAboutRows && code !== NO_TABLE) this.#exists = true;
      if (existed || code !== NO_TABLE) throw error;
      this.#creation ??= client.createTable(inTime()).finally(() => {
        this.#creation = undefined;
      });
      await this.#creation;
      this.#exists = true;
      return act(client);
    }
  }
}

export type TransactionResult =
  | { readonly ok: true; readonly etags: readonly (string | undefined)[] }
  | {
      readonly ok: false;
      /** Index of the action that failed. Undefined: the service did not name it. */
      readonly failed: number | undefined;
      readonly why: 'missing' | 'conflict';
    };

export type Tables = Readonly<Record<TableName, Table>>;

/**
 * The tables of an account. The first call makes the connection, and creates the table if there is none.
 */
export function openTables(account: StateAccount): Tables {
  const open = (name: TableName, keys?: StoredKeys) => {
    let opened: Promise<TableClient> | undefined;
    const client = () => {
      opened ??= connect(account, TABLES[name]).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    };
    return new Table(name, client, keys);
  };
  return {
    twins: open('twins', TWIN_KEYS),
    state: open('state'),
    receipts: open('receipts'),
    deadLetters: open('deadLetters'),
  };
}

async function connect(account: StateAccount, table: string): Promise<TableClient> {
  const { TableClient } = await import('@azure/data-tables');
  const options = { retryOptions: RETRIES };
  let client: TableClient;
  if (account.kind === 'connectionString') {
    // Only Azurite uses plain http. The connection string of an account in Azure has https.
    client = TableClient.fromConnectionString(account.connectionString, table, {
      ...options,
      allowInsecureConnection: true,
    });
  } else {
    const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity');
    const credential =
      account.clientId === undefined
        ? new DefaultAzureCredential()
        : new ManagedIdentityCredential({ clientId: account.clientId });
    client = new TableClient(account.tableServiceUri, table, credential, options);
  }
  client.pipeline.addPolicy({ name: 'berthOneLine', sendRequest: sendOneLine });
  return client;
}

/**
 * Azurite reads each row of a transaction as one line, and these characters end a line (3.35, TableBatchSerialization). As
 * JSON escapes they have the same meaning.
 */
function sendOneLine(
  ...[request, next]: Parameters<PipelinePolicy['sendRequest']>
): Promise<PipelineResponse> {
  if (typeof request.body === 'string' && /[\u2028\u2029]/.test(request.body)) {
    request.headers.delete('content-length');
    request.body = request.body.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  }
  return next(request);
}

type PipelinePolicy = Parameters<TableClient['pipeline']['addPolicy']>[0];
type PipelineResponse = Awaited<ReturnType<PipelinePolicy['sendRequest']>>;
