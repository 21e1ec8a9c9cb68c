import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';

/** Tables of Log Analytics that queries may read, with the columns that they may use of them. */
const TABLES = {
  AppTraces: 'TimeGenerated: datetime, Message: string, OperationName: string, SeverityLevel: int',
  AppRequests: 'TimeGenerated: datetime, Name: string, Success: bool, ResultCode: string, DurationMs: real',
  AzureMetrics: 'TimeGenerated: datetime, ResourceProvider: string, MetricName: string, Total: real',
  AzureDiagnostics:
    'TimeGenerated: datetime, ResourceProvider: string, Category: string, OperationName: string, ResultSignature: string, properties_s: string',
} as const;

export type CheckQuery = (query: string) => readonly string[];

interface Diagnostics {
  readonly Count: number;
  getItem(index: number): { readonly Message: string };
}

/**
 * Microsoft's own analysis of the query language: syntax, columns, functions. It is a program translated from C#, which
 * puts what it has into the global object, so it gets one of its own.
 */
export function loadKusto(): CheckQuery {
  const folder = join(import.meta.dirname, '../../node_modules/@kusto/language-service-next');
  const context = createContext({
    console,
    setTimeout,
    clearTimeout,
    addEventListener: () => {},
    document: { readyState: 'complete' },
  });
  runInContext('var window = globalThis;', context);
  for (const file of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
    runInContext(readFileSync(join(folder, file), 'utf8'), context);
  }
  runInContext(
    `var globals = (() => {
      const { TableSymbol, DatabaseSymbol } = Kusto.Language.Symbols;
      const tables = Object.entries(${JSON.stringify(TABLES)}).map(([name, columns]) =>
        TableSymbol.From('(' + columns + ')').WithName(name));
      for (const name of Object.keys(DatabaseSymbol).filter((each) => /ctor/.test(each))) {
        try {
          const database = new DatabaseSymbol[name]('logs', tables);
          if (database.Members.Count === tables.length) return Kusto.Language.GlobalState.Default.WithDatabase(database);
        } catch {}
      }
      throw new Error('No constructor of DatabaseSymbol takes a name and tables.');
    })();
    var diagnosticsOf = (query) => Kusto.Language.KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();`,
    context,
  );
  return (query) => {
    const found = (context.diagnosticsOf as (query: string) => Diagnostics)(query);
    return Array.from({ length: found.Count }, (_, index) => found.getItem(index).Message);
  };
}
