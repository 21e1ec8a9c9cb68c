import Module from 'node:module';
import type {
  FunctionCallback,
  FunctionMetadata,
  ProgrammingModel,
  RpcLogCategory,
  RpcLogLevel,
} from './rpc.ts';

/** Versions of worker and host that apps and libraries can read (worker releases of 2026). */
const WORKER_VERSION = '3.16.0';
export const HOST_VERSION = '4.1053.0';

export type HookName = 'preInvocation' | 'postInvocation' | 'appStart' | 'appTerminate' | 'log';
export type HookCallback = (context: object) => unknown;

/** The functions and hooks that an app registered while it was loaded, and the data that its hooks share. */
export interface WorkerApp {
  readonly functions: Map<
    string,
    { readonly metadata: FunctionMetadata; readonly callback: FunctionCallback }
  >;
  readonly hooks: Readonly<Record<HookName, HookCallback[]>>;
  /** Shared by the hooks of every scope. */
  readonly appHookData: object;
  /** Shared by `appStart` and `appTerminate` only. */
  readonly appOnlyHookData: object;
  model: ProgrammingModel | undefined;
  /** True after the host has read the list of functions. */
  locked: boolean;
}

export function createWorkerApp(): WorkerApp {
  return {
    functions: new Map(),
    hooks: { preInvocation: [], postInvocation: [], appStart: [], appTerminate: [], log: [] },
    appHookData: {},
    appOnlyHookData: {},
    model: undefined,
    locked: false,
  };
}

/** Runs the hooks of one kind in the order of their registration. If one throws, the next hooks do not run. */
export async function runHooks(app: WorkerApp, name: HookName, context: object): Promise<void> {
  for (const hook of [...app.hooks[name]]) await hook(context);
}

/** Marks an error as an error of the worker. The library distinguishes it from errors of the app by this mark. */
const asSystemError = <E extends Error>(error: E): E =>
  Object.assign(error, { isAzureFunctionsSystemError: true });

/** The `Disposable` of the worker: `dispose` calls the callback once. */
class Disposable {
  #callOnDispose: (() => unknown) | undefined;

  constructor(callOnDispose: () => unknown) {
    this.#callOnDispose = callOnDispose;
  }

  static from(...disposables: readonly { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) disposable.dispose();
    });
  }

  dispose(): unknown {
    const call = this.#callOnDispose;
    this.#callOnDispose = undefined;
    return call?.();
  }
}

export type CoreLog = (level: RpcLogLevel, category: RpcLogCategory, message: string) => void;

/**
 * The object an app gets from `require('@azure/functions-core')`. Source: nodejs-worker
 * `src/setupCoreModule.ts`, `src/coreApi/*`.
 */
export function createCoreApi(app: WorkerApp, log: CoreLog) {
  return {
    version: WORKER_VERSION,
    hostVersion: HOST_VERSION,
    Disposable,
    log,
    setProgrammingModel(model: ProgrammingModel): void {
      app.model = model;
    },
    getProgrammingModel: () => app.model,
    registerFunction(metadata: FunctionMetadata, callback: FunctionCallback): Disposable {
      if (app.locked) throw asSystemError(new Error('A function can only be registered during app startup.'));
      const id = metadata.functionId ?? metadata.name;
      if (app.functions.has(id)) {
        throw asSystemError(new Error(`A function with id "${id}" has already been registered.`));
      }
      app.functions.set(id, { metadata, callback });
      return new Disposable(() => {
        if (app.locked) throw asSystemError(new Error('A function can only be disposed during app startup.'));
        app.functions.delete(id);
      });
    },
    registerHook(name: string, callback: HookCallback): Disposable {
      if (!Object.hasOwn(app.hooks, name)) throw asSystemError(new RangeError(`Unrecognized hook "${name}"`));
      const hooks = app.hooks[name as HookName];
      hooks.push(callback);
      return new Disposable(() => {
        const index = hooks.indexOf(callback);
        if (index >= 0) hooks.splice(index, 1);
      });
    },
  };
}

/**
 * Makes `require('@azure/functions-core')` answer `api` in every CommonJS module of this process, as the
 * worker does. This also covers ES modules, because the library that they import is CommonJS.
 */
export function provideCoreModule(api: ReturnType<typeof createCoreApi>): void {
  Module.prototype.require = new Proxy(Module.prototype.require, {
    apply: (target, self, args) =>
      args[0] === '@azure/functions-core' ? api : Reflect.apply(target, self, args),
  });
}
