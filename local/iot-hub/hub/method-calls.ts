import { type Address, addressKey } from '../model/address.ts';

/** The answer of a device to a direct method: its status, and its body as text. */
export interface MethodAnswer {
  readonly status: number;
  readonly body: string;
}

/** A call that waits for its device. */
export interface PendingCall {
  /** `$rid` of the request and of its answer. */
  readonly requestId: string;
  readonly answer: Promise<MethodAnswer>;
  /** Ends the wait. A later answer is ignored. */
  forget(): void;
}

/** The direct methods that devices of a hub are executing. They are not stored. */
export interface MethodCalls {
  begin(address: Address): PendingCall;
  /** Takes an answer; false if this device has no such call. */
  answered(address: Address, requestId: string, answer: MethodAnswer): boolean;
}

export function createMethodCalls(): MethodCalls {
  const waiting = new Map<string, (answer: MethodAnswer) => void>();
  let last = 0;
  const key = (address: Address, requestId: string) => `${addressKey(address)}/${requestId}`;
  return {
    begin(address) {
      last += 1;
      const requestId = last.toString(16);
      const name = key(address, requestId);
      const answer = new Promise<MethodAnswer>((resolve) => waiting.set(name, resolve));
      return { requestId, answer, forget: () => void waiting.delete(name) };
    },
    answered(address, requestId, answer) {
      const name = key(address, requestId);
      const resolve = waiting.get(name);
      waiting.delete(name);
      resolve?.(answer);
      return resolve !== undefined;
    },
  };
}
