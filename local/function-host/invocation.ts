import { randomBytes, randomUUID } from 'node:crypto';
import type { LocalLog } from '../log.ts';
import { writeAppLog } from './app-log.ts';
import { runHooks, type WorkerApp } from './core-api.ts';
import type { HostedFunction } from './hosted-function.ts';
import type {
  CoreInvocationContext,
  RpcInvocationRequest,
  RpcInvocationResponse,
  RpcMetadata,
  RpcRetryContext,
  RpcTypedData,
} from './rpc.ts';
import { asError } from './thrown.ts';
import { MAX_TIMER_MS } from './time-span.ts';

/** The input of one execution of a function. */
export interface Invocation {
  /**
   * Value of the trigger binding. It is a function if the binding can fail; an error is then a failed execution.
   */
  readonly data: RpcTypedData | (() => RpcTypedData);
  readonly triggerMetadata?: RpcMetadata;
  readonly retryContext?: RpcRetryContext;
  /** W3C trace context of the caller. */
  readonly traceParent?: string | undefined;
  /** A new UUID if absent. */
  readonly id?: string;
}

export type InvocationResult =
  | { readonly ok: true; readonly response: RpcInvocationResponse }
  | { readonly ok: false; readonly error: Error };

export interface Invoker {
  /** Never rejects. An error in the app is a result, and it is logged. */
  invoke(fn: HostedFunction, invocation: Invocation): Promise<InvocationResult>;
  /** Resolves when no invocation runs. */
  idle(): Promise<void>;
}

/**
 * Runs functions with the steps of nodejs-worker `InvocationHandler.ts`: arguments, `preInvocation` hooks, handler,
 * `postInvocation` hooks, response.
 *
 * @param timeoutMs `functionTimeout`; undefined: no timeout.
 * @param recycle Called when an invocation timed out. Azure then ends the worker process with all its invocations.
 */
export function createInvoker(
  app: WorkerApp,
  timeoutMs: number | undefined,
  log: LocalLog,
  recycle: (reason: string) => void,
): Invoker {
  const running = new Set<Promise<unknown>>();

  async function invoke(fn: HostedFunction, invocation: Invocation): Promise<InvocationResult> {
    const id = invocation.id ?? randomUUID();
    const started = Date.now();
    try {
      return { ok: true, response: await withTimeout(fn, runInvocation(app, fn, id, invocation, log)) };
    } catch (thrown) {
      const error = asError(thrown);
      log.error(
        `${fn.name} failed (Id=${id}, Duration=${Date.now() - started}ms): ${error.stack ?? error.message}`,
      );
      return { ok: false, error };
    }
  }

  function withTimeout<Result>(fn: HostedFunction, work: Promise<Result>): Promise<Result> {
    if (timeoutMs === undefined) return work;
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => {
          const reason = `${fn.name} ran longer than functionTimeout (${timeoutMs} ms)`;
          reject(new Error(reason));
          recycle(reason);
        },
        Math.min(timeoutMs, MAX_TIMER_MS),
      );
    });
    return Promise.race([work, expired]).finally(() => clearTimeout(timer));
  }

  return {
    invoke(fn, invocation) {
      const work = invoke(fn, invocation);
      running.add(work);
      return work.finally(() => running.delete(work));
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

async function runInvocation(
  app: WorkerApp,
  fn: HostedFunction,
  id: string,
  invocation: Invocation,
  log: LocalLog,
): Promise<RpcInvocationResponse> {
  if (app.model === undefined) throw new Error('The app did not set a programming model.');
  let context: unknown;
  const core: CoreInvocationContext = {
    invocationId: id,
    request: toRequest(fn, id, invocation),
    metadata: fn.metadata,
    state: undefined,
    log: (level, category, message) => writeAppLog(app, log, level, category, message, fn.name, context),
  };
  const model = await app.model.getInvocationModel(core);
  const args = await model.getArguments();
  context = args.context;

  const hookData = {};
  const shared = { hookData, appHookData: app.appHookData, invocationContext: context };
  const pre = { ...shared, functionCallback: fn.callback, inputs: args.inputs };
  await runHooksIn(core, app, 'preInvocation', pre);

  const post: { result: unknown; error: unknown; inputs: unknown[] } = {
    ...shared,
    inputs: pre.inputs,
    result: null,
    error: null,
  };
  core.state = 'invocation';
  try {
    post.result = await model.invokeFunction(context, pre.inputs, pre.functionCallback);
  } catch (error) {
    post.error = error;
  } finally {
    core.state = undefined;
  }
  await runHooksIn(core, app, 'postInvocation', post);

  // A hook may have cleared the error. A handler that throws null or undefined has succeeded (nodejs-worker
  // `errors.ts`, isError).
  if (post.error !== null && post.error !== undefined) throw post.error;
  return model.getResponse(context, post.result);
}

async function runHooksIn(
  core: CoreInvocationContext,
  app: WorkerApp,
  name: 'preInvocation' | 'postInvocation',
  context: object,
): Promise<void> {
  core.state = `${name}Hooks`;
  try {
    await runHooks(app, name, context);
  } finally {
    core.state = undefined;
  }
}

function toRequest(fn: HostedFunction, id: string, invocation: Invocation): RpcInvocationRequest {
  const data = typeof invocation.data === 'function' ? invocation.data() : invocation.data;
  return {
    invocationId: id,
    functionId: fn.id,
    inputData: [{ name: fn.trigger.name, data }],
    triggerMetadata: invocation.triggerMetadata ?? {},
    traceContext: { traceParent: childOf(invocation.traceParent), traceState: '', attributes: {} },
    ...(invocation.retryContext === undefined ? {} : { retryContext: invocation.retryContext }),
  };
}

/** The host's own span in the caller's trace, or in a new one. */
function childOf(traceParent: string | undefined): string {
  const [, traceId, flags] = /^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/.exec(traceParent ?? '') ?? [];
  const spanId = randomBytes(8).toString('hex');
  return `00-${traceId ?? randomBytes(16).toString('hex')}-${spanId}-${flags ?? '00'}`;
}
