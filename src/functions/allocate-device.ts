import { app } from '@azure/functions';
import { answerOf } from '../allocation/decision/answer.ts';
import type { AllocateAnswer } from '../api/contract.ts';
import { BerthError } from '../errors.ts';
import type { Instance } from '../instance/instance.ts';
import { decisionFor } from './allocation-decision.ts';
import { answeringErrors, type HttpHandler, jsonAnswer } from './http-answer.ts';

/** The custom-allocation webhook of the Device Provisioning Service. */
export function registerAllocateDevice(instance: Instance): void {
  app.http('allocateDevice', {
    methods: ['POST'],
    authLevel: 'function',
    route: 'allocate',
    handler: allocateDevice(instance),
  });
}

export function allocateDevice(instance: Instance): HttpHandler {
  return answeringErrors(async (request, context) => {
    const { decision, receipt } = await decisionFor(request, instance);
    // The log line is the record of the decision. The copy in the table may be lost.
    const event = decision.result.kind === 'assigned' ? 'allocated' : 'notAllocated';
    const { at, result: logged, revision } = receipt;
    const isKeptOut = instance.keptOut.hasReceipt(receipt);
    // The line of a kept-out device names its hub, and not the device.
    context.log(
      JSON.stringify(isKeptOut ? { event, keptOut: true, at, result: logged, revision } : { event, receipt }),
    );
    instance.receipts.add(receipt);
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
