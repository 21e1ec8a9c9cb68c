import { LocalError } from '../../errors.ts';
import type { LocalLog } from '../../log.ts';
import { writeAppLog } from '../app-log.ts';
import { createCoreApi, createWorkerApp, provideCoreModule, runHooks, type WorkerApp } from '../core-api.ts';
import type { HostedFunction } from '../hosted-function.ts';
import type { Capabilities } from '../rpc.ts';
import { asError } from '../thrown.ts';
import { loadEntryFiles } from './entry-files.ts';

/**
 * The capabilities of every worker (nodejs-worker `getWorkerCapabilities.ts`). The library adds those of the app.
 */
const WORKER_CAPABILITIES = [
  'RawHttpBodyBytes',
  'RpcHttpTriggerMetadataRemoved',
  'RpcHttpBodyOnly',
  'IgnoreEmptyValuedRpcHttpHeaders',
  'UseNullableValueDictionaryForHttp',
  'WorkerStatus',
  'TypedDataCollection',
  'HandlesWorkerTerminateMessage',
];

/** An app that runs in this process. */
export interface LoadedApp {
  readonly worker: WorkerApp;
  /** In the order in which the host tries them. */
  readonly functions: readonly HostedFunction[];
  readonly capabilities: Capabilities;
  /** Runs the `appTerminate` hooks. */
  terminate(): Promise<void>;
}

/**
 * Loads an app in the order of the worker: the core module, the entry files, the `appStart` hooks, the capabilities
 * (after which `app.setup` fails), and the list of functions (after which the app can register nothing).
 *
 * @throws LocalError `BERTH_LOCAL_APP_MISSING`, `BERTH_LOCAL_APP_FILE`, `BERTH_LOCAL_APP_BROKEN`
 */
export async function loadApp(directory: string, log: LocalLog): Promise<LoadedApp> {
  const worker = createWorkerApp();
  provideCoreModule(
    createCoreApi(worker, (level, category, message) => writeAppLog(worker, log, level, category, message)),
  );
  process.chdir(directory);
  await loadEntryFiles(directory);
  const shared = { hookData: worker.appOnlyHookData, appHookData: worker.appHookData };
  try {
    await runHooks(worker, 'appStart', { ...shared, functionAppDirectory: directory });
  } catch (cause) {
    const reason = `An appStart hook failed: ${asError(cause).message}`;
    throw new LocalError('BERTH_LOCAL_APP_BROKEN', reason, { cause });
  }
  const defaults = Object.fromEntries(WORKER_CAPABILITIES.map((name) => [name, 'true']));
  const capabilities = (await worker.model?.getCapabilities?.(defaults)) ?? defaults;
  const functions = lockFunctions(worker, log);
  if (functions.length === 0) log.warn(`${directory} registers no functions.`);
  return { worker, functions, capabilities, terminate: () => runHooks(worker, 'appTerminate', shared) };
}

/**
 * The registered functions, sorted by name without regard to case. The host reads them and tries their routes in
 * this order (Azure/azure-functions-host `FunctionMetadataManager.cs`).
 */
function lockFunctions(app: WorkerApp, log: LocalLog): readonly HostedFunction[] {
  app.locked = true;
  const functions: HostedFunction[] = [];
  for (const [id, { metadata, callback }] of app.functions) {
    const [name, trigger] =
      Object.entries(metadata.bindings).find(([, { type }]) => /trigger$/i.test(type)) ?? [];
    if (name === undefined || trigger === undefined) {
      log.warn(`${metadata.name} has no trigger and is ignored.`);
      continue;
    }
    functions.push({ id, name: metadata.name, metadata, trigger: { ...trigger, name }, callback });
  }
  return functions.sort((a, b) => compare(a.name.toLowerCase(), b.name.toLowerCase()));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
