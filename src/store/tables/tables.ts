import type { TableClient, TransactionAction } from '@azure/data-tables';
import { BerthError, nothingAnswers } from '../../errors.ts';
import { untilStored } from './optimistic.ts';

/** The tables that Berth keeps its state in. */
export const TABLES = {
  /** Snapshots, work items, attention, tombstones and counts. */
  twins: 'berthtwins',
  /** Control row, conditions, fleet revisions, leases, hubs that are not Berth's. */
  state: 'berthstate',
  receipts: 'berthreceipts',
  deadLetters: 'berthdeadletters',
} as const;

export type TableName = keyof typeof TABLES;

/** Where the tables are: a storage connection string, or the table service of an account with an identity. */
export type StateAccount =
  | { readonly kind: 'connectionString'; readonly connectionString: string }
  | { readonly kind: 'identity'; readonly tableServiceUri: string; readonly clientId: string | undefined };

/** A call, its retries included, that takes longer is given up and counts as the store being away. */
const CALL_DEADLINE_MS = 8_000;
/** The same for a query of many pages. */
const LIST_DEADLINE_MS = 30_000;
const RETRIES = { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 } as const;

/**
 * A signal and not the pipeline's own `timeout`: that one stops when the headers are there, and leaves its
 * timer behind after an error (@typespec/ts-http-runtime 0.3.6, nodeHttpClient).
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

/** What an update makes of a row, and what it answers. */
export interface RowUpdate<Result> {
  /** The new properties, in place of the old ones; `'unchanged'`: nothing is written. */
  readonly put: Row['properties'] | 'unchanged';
  readonly result: Result;
}

export interface TableQuery {
  readonly partitionKey: string;
  /** Row keys from here (included) up to there (not included). */
  readonly range?: readonly [from: string, to: string];
  readonly select?: readonly string[];
  readonly limit?: number;
}

export interface Scan extends Pick<TableQuery, 'range' | 'select'> {
  /** Partition keys from here (included) up to there (not included). */
  readonly partitions?: readonly [from: string, to: string];
}

/**
 * One table, with errors turned into Berth's: `undefined` or `'conflict'` for what is ordinary,
 * `BERTH_STORE_UNAVAILABLE` for the rest.
 */
export class Table {
  readonly #client: () => Promise<TableClient>;

  constructor(client: () => Promise<TableClient>) {
    this.#client = client;
  }

  /** One row, or undefined. */
  async get(partitionKey: string, rowKey: string): Promise<Row | undefined> {
    return this.#call(
      async (client) => {
        const entity = await client.getEntity(partitionKey, rowKey, {
          ...inTime(),
        });
        return toRow(entity);
      },
      { notFound: undefined },
    );
  }

  /** All rows of a query, in the order of their keys. */
  async list({ partitionKey, range, select, limit }: TableQuery): Promise<readonly Row[]> {
    const { odata } = await import('@azure/data-tables');
    const filter =
      range === undefined
        ? odata`PartitionKey eq ${partitionKey}`
        : odata`PartitionKey eq ${partitionKey} and RowKey ge ${range[0]} and RowKey lt ${range[1]}`;
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
          rows.push(toRow(entity));
          if (rows.length === limit) return rows;
        }
      }
      return rows;
    });
  }

  /**
   * Every row of every partition, page by page, in the order of the keys; each page has a deadline of its own.
   * A scan: for commands, and for the functions only where they stop after a page.
   */
  async *scan({ partitions, range, select }: Scan): AsyncGenerator<readonly Row[]> {
    const { odata } = await import('@azure/data-tables');
    const bounds = [
      ...(partitions === undefined
        ? []
        : [odata`PartitionKey ge ${partitions[0]} and PartitionKey lt ${partitions[1]}`]),
      ...(range === undefined ? [] : [odata`RowKey ge ${range[0]} and RowKey lt ${range[1]}`]),
    ];
    const queryOptions = {
      ...(bounds.length === 0 ? {} : { filter: bounds.join(' and ') }),
      ...(select === undefined ? {} : { select: ['PartitionKey', 'RowKey', ...select] }),
    };
    let continuationToken: string | undefined;
    do {
      const page = await this.#call(async (client) => {
        const pages = client
          .listEntities({ queryOptions, ...inTime(LIST_DEADLINE_MS) })
          .byPage({ maxPageSize: 1_000, ...(continuationToken === undefined ? {} : { continuationToken }) });
        const { value } = await pages.next();
        return value as (Record<string, unknown>[] & { readonly continuationToken?: string }) | undefined;
      });
      if (page !== undefined) yield page.map(toRow);
      continuationToken = page?.continuationToken;
    } while (continuationToken !== undefined);
  }

  /** Writes a row whatever is there. */
  async put(
    partitionKey: string,
    rowKey: string,
    properties: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await this.#call((client) =>
      client.upsertEntity({ ...properties, partitionKey, rowKey }, 'Replace', {
        ...inTime(),
      }),
    );
  }

  /** Writes a row if it is still the one that was read (`etag`), or if there is none (`undefined`). */
  async putIfUnchanged(
    partitionKey: string,
    rowKey: string,
    properties: Readonly<Record<string, unknown>>,
    etag: string | undefined,
  ): Promise<'written' | 'conflict'> {
    const entity = { ...properties, partitionKey, rowKey };
    const options = inTime();
    return this.#call<'written' | 'conflict'>(
      async (client) => {
        if (etag === undefined) await client.createEntity(entity, options);
        else await client.updateEntity(entity, 'Replace', { ...options, etag });
        return 'written';
      },
      // What was read may have been deleted since.
      { notFound: 'conflict', conflict: 'conflict' },
    );
  }

  /**
   * Changes a row, or makes it: reads it, and writes what `change` makes of it if it is still the one that was read; else again.
   *
   * @param change may be called several times. What it throws ends the update, and nothing is written.
   * @throws BerthError `BERTH_STORE_UNAVAILABLE` also where others change the row all the time
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

  /** Deletes a row if it is still the one that was read. */
  async deleteIfUnchanged(
    partitionKey: string,
    rowKey: string,
    etag: string,
  ): Promise<'deleted' | 'conflict'> {
    return this.#call<'deleted' | 'conflict'>(
      async (client) => {
        await client.deleteEntity(partitionKey, rowKey, { ...inTime(), etag });
        return 'deleted';
      },
      { notFound: 'deleted', conflict: 'conflict' },
    );
  }

  async delete(partitionKey: string, rowKey: string): Promise<void> {
    await this.#call<unknown>((client) => client.deleteEntity(partitionKey, rowKey, inTime()), {
      notFound: undefined,
    });
  }

  /**
   * All of these or none. Answers the new etags in order, or which action failed and how.
   * (`submitTransaction` passes no etag on for a delete: it is always unconditional.)
   */
  async transact(actions: readonly TransactionAction[]): Promise<TransactionResult> {
    return this.#call<TransactionResult>(async (client) => {
      try {
        const response = await client.submitTransaction([...actions], {
          ...inTime(),
        });
        return { ok: true, etags: response.subResponses.map(({ etag }) => etag) };
      } catch (error) {
        const { statusCode, message } = asRestError(error);
        if (statusCode !== 404 && statusCode !== 409 && statusCode !== 412) throw error;
        // The service says which by "2:The update condition …".
        const index = /^(\d+):/.exec(message)?.[1];
        return {
          ok: false,
          failed: index === undefined ? undefined : Number(index),
          why: statusCode === 404 ? 'missing' : 'conflict',
        };
      }
    });
  }

  async #call<Result>(
    act: (client: TableClient) => Promise<Result>,
    ordinary: { readonly notFound?: Result; readonly conflict?: Result } = {},
  ): Promise<Result> {
    try {
      return await act(await this.#client());
    } catch (error) {
      const { statusCode, code, url } = asRestError(error);
      if (statusCode === 404 && 'notFound' in ordinary && code !== 'TableNotFound')
        return ordinary.notFound as Result;
      if ((statusCode === 409 || statusCode === 412) && 'conflict' in ordinary)
        return ordinary.conflict as Result;
      if (error instanceof BerthError) throw error;
      if (isNobodySignedIn(error)) {
        throw new BerthError(
          'BERTH_STORE_UNAVAILABLE',
          'The state tables cannot be used, because no identity is signed in here: az login, or check AZURE_CLIENT_ID.',
        );
      }
      if (code === 'ECONNREFUSED' && url !== undefined) {
        throw new BerthError('BERTH_STORE_UNAVAILABLE', nothingAnswers(url));
      }
      throw new BerthError(
        'BERTH_STORE_UNAVAILABLE',
        `The state tables cannot be used now (${code ?? statusCode ?? 'no answer'}).`,
      );
    }
  }
}

export type TransactionResult =
  | { readonly ok: true; readonly etags: readonly (string | undefined)[] }
  | {
      readonly ok: false;
      /** Index of the action at fault, where the service said. */
      readonly failed: number | undefined;
      readonly why: 'missing' | 'conflict';
    };

export type Tables = Readonly<Record<TableName, Table>>;

/**
 * The tables of an account. Nothing is connected before the first call; a table is created when it is first
 * used.
 */
export function openTables(account: StateAccount): Tables {
  const open = (name: TableName) => {
    let opened: Promise<TableClient> | undefined;
    return new Table(() => {
      opened ??= connect(account, TABLES[name]).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    });
  };
  return {
    twins: open('twins'),
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
    // Plain http is Azurite's; the connection string of an account says https.
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
  await client.createTable(inTime());
  return client;
}

/**
 * Azurite reads each row of a transaction as one line, which these characters end (3.35, TableBatchSerialization); as
 * escapes of JSON they mean the same.
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

function toRow({ partitionKey, rowKey, etag, ...properties }: Record<string, unknown>): Row {
  return { partitionKey: String(partitionKey), rowKey: String(rowKey), etag: String(etag), properties };
}

/** What `@azure/identity` throws where no credential is to be had. */
function isNobodySignedIn(error: unknown): boolean {
  return (
    error instanceof Error &&
    ['CredentialUnavailableError', 'ChainedTokenCredentialError', 'AggregateAuthenticationError'].includes(
      error.name,
    )
  );
}

interface RestErrorLike {
  readonly statusCode: number | undefined;
  readonly code: string | undefined;
  readonly message: string;
  /** Where the request went. */
  readonly url: string | undefined;
}

/** The parts that may be shown: a RestError also carries the request with its authorization header. */
function asRestError(error: unknown): RestErrorLike {
  if (typeof error !== 'object' || error === null)
    return { statusCode: undefined, code: undefined, message: '', url: undefined };
  const { statusCode, code, message, request } = error as Record<string, unknown>;
  const url = (request as { readonly url?: unknown } | undefined)?.url;
  return {
    statusCode: typeof statusCode === 'number' ? statusCode : undefined,
    code: typeof code === 'string' ? code : undefined,
    message: typeof message === 'string' ? message : '',
    url: typeof url === 'string' && URL.canParse(url) ? url : undefined,
  };
}
