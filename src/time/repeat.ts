/** Calls `act` again each time that `everyMs` milliseconds have passed. Returns a function that ends it. */
export type Repeat = (act: () => void, everyMs: number) => () => void;

/** Repeats by a timer that does not keep the process alive. */
export const repeatByTimer: Repeat = (act, everyMs) => {
  const timer = setInterval(act, everyMs).unref();
  return () => clearInterval(timer);
};
