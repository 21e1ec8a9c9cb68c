/** Keys of the local function host. They are public constants and give access only to loopback on this machine. */
export const FUNCTION_KEYS = {
  /** For all functions but those without a key: header `x-functions-key` or `?code=`. */
  function: 'local-function-key',
  /** For `/admin`, which runs a function on request. */
  master: 'local-master-key',
} as const;

/** The keys that the stack sends to the functions. */
export interface FunctionHostKeys {
  readonly function: string;
  readonly master: string;
}

/**
 * The keys of the host that runs the functions: `FUNCTION_HOST_FUNCTION_KEY` and `FUNCTION_HOST_MASTER_KEY`, otherwise the
 * constants above. Another host that checks keys, such as `func start --enableAuth`, has its own.
 */
export function functionKeys(env: Readonly<Record<string, string | undefined>>): FunctionHostKeys {
  return {
    function: env.FUNCTION_HOST_FUNCTION_KEY || FUNCTION_KEYS.function,
    master: env.FUNCTION_HOST_MASTER_KEY || FUNCTION_KEYS.master,
  };
}
