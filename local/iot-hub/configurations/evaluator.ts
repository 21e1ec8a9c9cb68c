import type { LocalHub } from '../hub/hub.ts';
import { evaluateConfigurations } from './evaluate.ts';

/** How often the evaluator looks at the clock of the hub, in milliseconds. */
const LOOK_EVERY_MS = 100;

/**
 * Evaluates the configurations of a hub after each change of a configuration, and every `periodMs` of the hub's clock.
 * Without configurations it does nothing. It ends when the hub closes.
 */
export function keepEvaluating(hub: LocalHub, periodMs: number): void {
  let evaluatedAt = Number.NEGATIVE_INFINITY;
  hub.configurations.onChange(() => {
    evaluatedAt = Number.NEGATIVE_INFINITY;
  });
  // An ended configuration leaves settings in twins, so one more evaluation follows the last one.
  let hadConfigurations = true;
  const timer = setInterval(() => {
    const isDue = hub.now() - evaluatedAt >= periodMs;
    if (!isDue || (hub.configurations.size === 0 && !hadConfigurations)) return;
    hadConfigurations = hub.configurations.size > 0;
    evaluatedAt = hub.now();
    try {
      evaluateConfigurations(hub);
    } catch (error) {
      hub.log.error(
        `Hub ${hub.host} could not evaluate its configurations: ${error instanceof Error ? error.message : 'unknown reason'}`,
      );
    }
  }, LOOK_EVERY_MS);
  timer.unref();
  hub.closing.addEventListener('abort', () => clearInterval(timer), { once: true });
}
