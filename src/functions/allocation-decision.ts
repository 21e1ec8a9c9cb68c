import type { HttpRequest } from '@azure/functions';
import { type DecideInput, type Decision, decide } from '../allocation/decision/decide.ts';
import { type Receipt, receiptOf } from '../allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../allocation/request/request.ts';
import { readRequestBody } from '../allocation/request/request-body.ts';
import type { AllocationParts } from '../instance/webhook-state.ts';

/** Reads a request of DPS and makes its decision, for `allocateDevice` and `explainAllocation`. */
export async function decisionFor(
  request: HttpRequest,
  parts: AllocationParts,
): Promise<{ readonly decision: Decision; readonly receipt: Receipt }> {
  const input: DecideInput = {
    request: parseAllocationRequest(readRequestBody(new Uint8Array(await request.arrayBuffer()))),
    fleet: parts.fleet.current(),
    conditions: await parts.conditions.current(),
    now: parts.now(),
  };
  const decision = decide(input);
  return { decision, receipt: receiptOf(input, decision) };
}
