import { storageAccount } from './support/storage-account.ts';

/** Where a suite keeps its state. */
export interface Azurite {
  readonly connectionString: string;
  close(): Promise<void>;
}

/** An empty storage account, where suites still expect an Azurite of their own. */
export async function startAzurite(): Promise<Azurite> {
  return { connectionString: await storageAccount(), close: async () => {} };
}
