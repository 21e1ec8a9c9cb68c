import type { ReceiptAnswer } from '../api/contract.ts';
import type { AllocationParts } from '../instance/webhook-state.ts';
import { decisionFor } from './allocation-decision.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** The decision of `allocateDevice` for the same request, with reasons. Nothing is stored. */
export function explainAllocation(parts: AllocationParts): HttpHandler {
  return answeringErrors(async (request) =>
    jsonAnswer<ReceiptAnswer>(200, (await decisionFor(request, parts)).receipt),
  );
}
