/** Keys of the local function host. Public constants: they open nothing but this machine's loopback. */
export const FUNCTION_KEYS = {
  /** For all functions but those without a key: header `x-functions-key` or `?code=`. */
  function: 'local-function-key',
  /** For `/admin`: firing a function by hand. */
  master: 'local-master-key',
} as const;
