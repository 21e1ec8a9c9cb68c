import type { Binding, FunctionCallback, FunctionMetadata } from './rpc.ts';

/** A function that the app registered, with its one trigger. */
export interface HostedFunction {
  readonly id: string;
  readonly name: string;
  readonly metadata: FunctionMetadata;
  readonly trigger: Binding & { readonly name: string };
  readonly callback: FunctionCallback;
}
