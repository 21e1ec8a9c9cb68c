import { app } from '@azure/functions';
import type { Instance } from '../instance/instance.ts';
import { type HttpHandler, jsonAnswer } from './http-answer.ts';

/**
 * Ready or not, and nothing else: it needs no key. Not ready while this package's own fleet file has
 * problems.
 */
export function registerHealth(instance: Instance): void {
  app.http('health', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'health',
    handler: health(instance),
  });
}

export function health(instance: Instance): HttpHandler {
  return async () => {
    const isReady = instance.fleet.problems.length === 0;
    return jsonAnswer(isReady ? 200 : 503, { ready: isReady });
  };
}
