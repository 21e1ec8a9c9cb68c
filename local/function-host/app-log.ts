import type { LocalLog } from '../log.ts';
import type { WorkerApp } from './core-api.ts';
import type { RpcLogCategory, RpcLogLevel } from './rpc.ts';
import { asError } from './thrown.ts';

/**
 * Writes a log entry of the app (level information and above) or of the library (warning and above). The `log` hooks
 * get every entry and can change its message and level.
 */
export function writeAppLog(
  app: WorkerApp,
  log: LocalLog,
  level: RpcLogLevel,
  category: RpcLogCategory,
  message: string,
  functionName?: string,
  invocationContext?: unknown,
): void {
  const entry = {
    hookData: {},
    appHookData: app.appHookData,
    level,
    message,
    category,
    invocationContext,
  };
  for (const hook of app.hooks.log) {
    try {
      hook(entry);
    } catch (error) {
      log.error(`A log hook failed: ${asError(error).message}`);
    }
  }
  const text = functionName === undefined ? entry.message : `[${functionName}] ${entry.message}`;
  if (entry.level === 'critical' || entry.level === 'error') log.error(text);
  else if (entry.level === 'warning') log.warn(text);
  else if (entry.level === 'information' && category !== 'system') log.info(text);
}
