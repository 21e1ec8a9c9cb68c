import { answerOf } from '../allocation/decision/answer.ts';
import type { AllocateAnswer } from '../api/contract.ts';
import { BerthError } from '../errors.ts';
import type { AllocationParts } from '../instance/webhook-state.ts';
import { decisionFor } from './allocation-decision.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** The custom-allocation webhook of the Device Provisioning Service. */
export function allocateDevice(parts: AllocationParts): HttpHandler {
  return answeringErrors(async (request, context) => {
    const { decision, receipt } = await decisionFor(request, parts);
    // The log line is the record of the decision. The copy in the table may be lost.
    const event = decision.result.kind === 'assigned' ? 'allocated' : 'notAllocated';
    const text = JSON.stringify(receipt);
    context.log(`{"event":"${event}","receipt":${text}}`);
    parts.receipts.add({ receipt, text });
    if (decision.twin.beyondLimits > 0) {
      const { registrationId } = receipt.inputs;
      const { omitted } = receipt.twin;
      context.warn(JSON.stringify({ event: 'initialTwinBeyondLimits', registrationId, omitted }));
    }
    const { result } = decision;
    if (result.kind === 'refused') throw new BerthError(result.code, result.message);
    return jsonAnswer<AllocateAnswer>(200, answerOf(result.hub, decision));
  });
}
