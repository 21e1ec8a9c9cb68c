import { app } from '@azure/functions';
import type { ReceiptAnswer } from '../api/contract.ts';
import type { Instance } from '../instance/instance.ts';
import { decisionFor } from './allocation-decision.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** The decision of `allocateDevice` for the same request, with reasons. Nothing is stored. */
export function registerExplainAllocation(instance: Instance): void {
  app.http('explainAllocation', {
    methods: ['POST'],
    authLevel: 'function',
    route: 'explain',
    handler: explainAllocation(instance),
  });
}

export function explainAllocation(instance: Instance): HttpHandler {
  return answeringErrors(async (request) =>
    jsonAnswer<ReceiptAnswer>(200, (await decisionFor(request, instance)).receipt),
  );
}
