import type { HttpRequest } from '@azure/functions';
import { type DecideInput, type Decision, decide } from '../allocation/decision/decide.ts';
import { parentNamedFor } from '../allocation/parent/known-parent.ts';
import { type Receipt, receiptOf } from '../allocation/receipt/receipt.ts';
import { parseAllocationRequest } from '../allocation/request/request.ts';
import { readRequestBody } from '../allocation/request/request-body.ts';
import type { AllocationParts } from '../instance/webhook-state.ts';

/** Reads a request of DPS and makes its decision, for `allocateDevice` and `explainAllocation`. */
export async function decisionFor(
  request: HttpRequest,
  parts: AllocationParts,
): Promise<{ readonly decision: Decision; readonly receipt: Receipt }> {
  const asked = parseAllocationRequest(readRequestBody(new Uint8Array(await request.arrayBuffer())));
  const fleet = parts.fleet.current();
  const named = parentNamedFor(asked, fleet);
  const [conditions, parent] = await Promise.all([
    parts.conditions.current(),
    named === undefined ? undefined : parts.parents.find(named, fleet),
  ]);
  const input: DecideInput = { request: asked, fleet, conditions, parent, now: parts.now() };
  const decision = decide(input);
  return { decision, receipt: receiptOf(input, decision) };
}
