import type { Ports } from '../options.ts';

/** The stack tells its keeper that it is up. From now on it is restarted after a crash, on the same ports. */
export interface StackReady {
  readonly type: 'ready';
  readonly ports: Ports;
}

/** The keeper tells the stack to end, as Ctrl-C does. */
export const END = 'end';

/** The environment variable with the number of restarts of the stack. */
export const RESTARTS = 'BERTH_LOCAL_RESTARTS';

/** The exit code of a stack that has crashed. Other codes are a decision of the stack, such as an error of the user. */
export const CRASHED = 70;
