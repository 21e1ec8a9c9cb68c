import type { StateAccount } from '../../store/tables/tables.ts';

/** The storage account of the state tables, for messages. It contains no key. */
export function stateAccountName(account: StateAccount): string {
  if (account.kind === 'identity') return new URL(account.tableServiceUri).host;
  const parts = new Map(
    account.connectionString.split(';').map((part) => {
      const [name = '', ...value] = part.split('=');
      return [name.toLowerCase(), value.join('=')] as const;
    }),
  );
  if (parts.get('usedevelopmentstorage') === 'true') return 'Azurite on this machine';
  const endpoint = parts.get('tableendpoint');
  if (endpoint !== undefined && URL.canParse(endpoint)) return new URL(endpoint).host;
  return parts.get('accountname') ?? 'a storage account';
}
