import { BerthError } from '../../errors.ts';
import type { Hub } from '../../fleet/fleet.ts';
import type { NoPermit } from '../../hub/budget.ts';
import type { Permitted } from '../../hub/budgeted-hubs.ts';
import { HubError } from '../../hub/port.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import { mustComeAgain } from '../../store/tables/newer-format.ts';
import type { TwinRecord } from '../../store/twins/twin-store.ts';
import { plus } from '../../time/epoch-ms.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import type { Plan } from '../../twin/plan/plan.ts';
import type { Snapshot } from '../../twin/snapshot/snapshot.ts';
import { twinKey } from '../../twin/snapshot/twin.ts';
import { backOff } from './back-off.ts';
import {
  intentOf,
  type Next,
  nextStep,
  type ReconcileState,
  type ReconcileStep,
  type StepAnswer,
  type Surroundings,
} from './protocol.ts';
import type { SyncContext } from './sync-context.ts';

/** What reconciling one twin came to. */
export type ReconcileResult = 'nothing' | 'unchanged' | 'stored' | 'corrected' | 'requeued' | 'deleted';

/** The result of reconciling one twin, and what is known of it after that. */
export interface Reconciled {
  readonly result: ReconcileResult;
  readonly known: Known;
  /** There was no permit for a read or a write of this twin. Other twins of the hub would get none either. */
  readonly lacksPermit?: boolean;
}

/** Performs the steps of the protocol for one twin, from its record to what is stored in the end. */
export class TwinWork {
  readonly #context: SyncContext;
  readonly #hub: Hub;
  #record: TwinRecord;
  #lacksPermit = false;

  constructor(record: TwinRecord, hub: Hub, context: SyncContext) {
    this.#record = record;
    this.#hub = hub;
    this.#context = context;
  }

  /** `'conflict'`: another instance has changed the record meanwhile. */
  async perform(start: (at: Surroundings) => Next): Promise<Reconciled | 'conflict'> {
    let { work, step } = start(this.#surroundings());
    for (;;) {
      switch (step.kind) {
        case 'settle':
          return this.#end(step.snapshot, 'stored', step.isCorrected);
        case 'requeue': {
          const requeued = await this.#end(step.snapshot, 'requeued');
          return requeued === 'conflict' || !this.#lacksPermit
            ? requeued
            : { ...requeued, lacksPermit: true };
        }
        case 'forget':
          return this.#forget(step.at);
      }
      const answered = await this.#act(work, step);
      if (answered === 'conflict') return answered;
      ({ work, step } = nextStep(answered.work, answered.answer, this.#surroundings()));
    }
  }

  #surroundings(): Surroundings {
    const { fleet, hubNow } = this.#context;
    return { fleet, now: hubNow() };
  }

  /** One call to the hub, or what keeps it from being made. */
  async #act(
    work: ReconcileState,
    step: Extract<ReconcileStep, { kind: 'read' | 'write' | 'askStatus' }>,
  ): Promise<{ readonly work: ReconcileState; readonly answer: StepAnswer } | 'conflict'> {
    const { hubs } = this.#context;
    const { id } = work.snapshot;
    switch (step.kind) {
      case 'read': {
        const answer = await this.#call(
          work,
          () => hubs.readTwin(id),
          (twin) => ({ kind: 'twin', twin }),
          isTold,
        );
        if (answer.kind === 'noPermit') this.#lacksPermit = true;
        return { work, answer };
      }
      case 'askStatus': {
        // A missing permit for this is no `lacksPermit`: the reads and writes of other twins need not wait for it.
        const answer = await this.#call(
          work,
          () => hubs.identityStatus(id),
          (status) => ({ kind: 'status', status }),
          () => true,
        );
        return { work, answer };
      }
      case 'write':
        return this.#write(work, step.plan, step.etag);
    }
  }

  /** One PATCH, between two transactions: what it is about to do, and what came of it. */
  async #write(
    work: ReconcileState,
    planned: Plan,
    etag: string,
  ): Promise<{ readonly work: ReconcileState; readonly answer: StepAnswer } | 'conflict'> {
    const { gate, hubs } = this.#context;
    const permit = await hubs.permitWrite(work.snapshot.id);
    if (permit.kind === 'noPermit') {
      this.#lacksPermit = true;
      return { work, answer: { ...this.#noPermit(permit), plan: planned } };
    }
    // The permit may have been long in coming, and the fleet may have been paused meanwhile.
    const before = await gate.current();
    if (before !== work.gate) return { work, answer: { kind: 'gateChanged', gate: before } };
    const intent = intentOf(work, planned, this.#surroundings());
    if ((await this.#save({ kind: 'snapshot', snapshot: intent.snapshot })) === 'conflict') return 'conflict';
    const now = await gate.current();
    if (now !== before) return { work: intent, answer: { kind: 'gateChanged', gate: now } };
    try {
      const twin = await hubs.patchDesired(permit, planned.patch, etag);
      return { work: intent, answer: { kind: 'written', twin, plan: planned } };
    } catch (error) {
      const answer = this.#failed(error, work.snapshot.workItem?.tries);
      if (isToldOfWrite(error, planned)) this.#warn(error);
      return { work: intent, answer: { ...answer, plan: planned } };
    }
  }

  async #call<Result>(
    work: ReconcileState,
    ask: () => Promise<Permitted<Result>>,
    toAnswer: (result: Result) => StepAnswer,
    isWarnedOf: (error: unknown) => boolean,
  ): Promise<StepAnswer> {
    try {
      const permitted = await ask();
      return permitted.kind === 'noPermit' ? this.#noPermit(permitted) : toAnswer(permitted.answer);
    } catch (error) {
      const answer = this.#failed(error, work.snapshot.workItem?.tries);
      if (isWarnedOf(error)) this.#warn(error as BerthError);
      return answer;
    }
  }

  /** By the hubs' clock, as all times of work. */
  #noPermit({ at, why, isQuota }: NoPermit): Extract<StepAnswer, { kind: 'noPermit' }> {
    const { now, hubNow } = this.#context;
    return { kind: 'noPermit', at: plus(hubNow(), at - now()), why, isQuota };
  }

  /** @throws what is no trouble with the hub: a defect, or the state tables. */
  #failed(error: unknown, tries = 0): Extract<StepAnswer, { kind: 'failed' }> {
    if (!(error instanceof BerthError) || mustComeAgain(error)) throw error;
    const hubError = error instanceof HubError ? error : undefined;
    const failure = {
      code: error.code,
      message: error.message,
      hubCode: String(hubError?.hubCode ?? hubError?.status),
      mayHaveApplied: hubError?.mayHaveApplied ?? false,
      answeredAt: hubError?.answeredAt,
      backOffMs: backOff(error, twinKey(this.#record.id), tries, this.#context.now()),
    };
    return { kind: 'failed', failure };
  }

  #warn(error: BerthError): void {
    this.#context.warn(error.message, {
      code: error.code,
      hub: this.#hub.host,
      deviceId: this.#record.id.deviceId,
      hubCode: error instanceof HubError ? (error.hubCode ?? null) : null,
    });
  }

  async #end(
    snapshot: Snapshot,
    result: ReconcileResult,
    isCorrected = false,
  ): Promise<Reconciled | 'conflict'> {
    const { known } = this.#record;
    const after: Known = { kind: 'snapshot', snapshot };
    // Nearly always an event was merged, which is told without looking at everything.
    const isNewer = known.kind !== 'snapshot' || known.snapshot.version !== snapshot.version;
    if (!isNewer && sameJson(asJson(known), asJson(after))) {
      return { result: isCorrected ? 'corrected' : 'unchanged', known: after };
    }
    if ((await this.#save(after)) === 'conflict') return 'conflict';
    return { result: isCorrected ? 'corrected' : result, known: after };
  }

  async #forget(at: Extract<ReconcileStep, { kind: 'forget' }>['at']): Promise<Reconciled | 'conflict'> {
    const known: Known = { kind: 'deleted', at };
    return (await this.#save(known)) === 'conflict' ? 'conflict' : { result: 'deleted', known };
  }

  async #save(known: Exclude<Known, { kind: 'nothing' }>): Promise<'saved' | 'conflict'> {
    const saved = await this.#context.twins.save(this.#record, known);
    if (saved === 'conflict') return saved;
    this.#record = saved;
    return 'saved';
  }
}

/** Throttling is a hub's everyday, and a twin that is not found is looked into. */
function isTold(error: unknown): error is BerthError {
  return (
    error instanceof BerthError &&
    error.code !== 'BERTH_HUB_THROTTLED' &&
    error.code !== 'BERTH_HUB_NOT_FOUND'
  );
}

/** Somebody else's write is no trouble; of several refused values each is tried alone first. */
function isToldOfWrite(error: unknown, { writes }: Plan): error is BerthError {
  if (!isTold(error) || error.code === 'BERTH_HUB_PRECONDITION_FAILED') return false;
  return error.code !== 'BERTH_HUB_REFUSED' || writes.length === 1;
}

/** As it is stored: `undefined` leaves no trace. */
function asJson(known: Known): JsonValue {
  return JSON.parse(JSON.stringify(known)) as JsonValue;
}
