import { answerOf } from '../allocation/decision/answer.ts';
import type { AllocationResult } from '../allocation/decision/decide.ts';
import type { AllocateAnswer } from '../api/contract.ts';
import { BerthError } from '../errors.ts';
import type { AllocationParts } from '../instance/webhook-state.ts';
import type { MetricAttributes, Metrics } from '../metrics/metrics.ts';
import { decisionFor } from './allocation-decision.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** The custom-allocation webhook of the Device Provisioning Service. */
export function allocateDevice(parts: AllocationParts): HttpHandler {
  return answeringErrors(async (request, context) => {
    const { decision, receipt } = await countingFailures(decisionFor(request, parts), parts.metrics);
    parts.metrics.add('berth.allocations', 1, attributesOf(decision.result));
    // The log line is the record of the decision. The copy in the table may be lost.
    const event = decision.result.kind === 'assigned' ? 'allocated' : 'notAllocated';
    const { at, result: logged, revision } = receipt;
    const isKeptOut = parts.keptOut.hasReceipt(receipt);
    const text = JSON.stringify(receipt);
    // The line names the hub, and no device.
    context.log(
      isKeptOut
        ? JSON.stringify({ event, keptOut: true, at, result: withoutMessage(logged), revision })
        : `{"event":"${event}","receipt":${text}}`,
    );
    parts.receipts.add({ receipt, text });
    if (decision.twin.beyondLimits > 0 && !isKeptOut) {
      const { registrationId } = receipt.inputs;
      const { omitted } = receipt.twin;
      context.warn(JSON.stringify({ event: 'initialTwinBeyondLimits', registrationId, omitted }));
    }
    const { result } = decision;
    if (result.kind === 'refused') throw new BerthError(result.code, result.message);
    return jsonAnswer<AllocateAnswer>(200, answerOf(result.hub, decision));
  });
}

/** The message of a refusal can name the parent. */
function withoutMessage(result: AllocationResult): object {
  return result.kind === 'assigned' ? result : { kind: result.kind, code: result.code };
}

/** Counts a request for which no decision can be made. */
async function countingFailures<Result>(deciding: Promise<Result>, metrics: Metrics): Promise<Result> {
  try {
    return await deciding;
  } catch (error) {
    const code = error instanceof BerthError ? error.code : 'BERTH_DEFECT';
    metrics.add('berth.allocations', 1, { result: 'failed', code });
    throw error;
  }
}

function attributesOf(result: AllocationResult): MetricAttributes {
  return result.kind === 'assigned'
    ? { result: 'assigned', hub: result.host, how: result.how }
    : { result: 'refused', code: result.code };
}
