/** Keys of the local function host. They are public constants and give access only to loopback on this machine. */
export const FUNCTION_KEYS = {
  /** For all functions but those without a key: header `x-functions-key` or `?code=`. */
  function: 'local-function-key',
  /** For `/admin`, which runs a function on request. */
  master: 'local-master-key',
} as const;
