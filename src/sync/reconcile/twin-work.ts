import { BerthError } from '../../errors.ts';
import type { Hub } from '../../fleet/fleet.ts';
import type { NoPermit } from '../../hub/budget.ts';
import type { Permitted } from '../../hub/budgeted-hubs.ts';
import { HubError } from '../../hub/port.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import { mustComeAgain } from '../../store/tables/newer-format.ts';
import type { TwinRecord } from '../../store/twins/twin-store.ts';
import { plus } from '../../time/epoch-ms.ts';
import { millisecondsOf } from '../../time/instant.ts';
import type { Known } from '../../twin/events/apply-event.ts';
import { lastOwnChanges } from '../../twin/events/echo.ts';
import type { Plan } from '../../twin/plan/plan.ts';
import type { Snapshot } from '../../twin/snapshot/snapshot.ts';
import { twinKey } from '../../twin/snapshot/twin.ts';
import { backOff } from './back-off.ts';
import type { Surroundings } from './last-reconcile.ts';
import { acknowledgementTime, correctionTime } from './measured-times.ts';
import {
  intentOf,
  type Next,
  nextStep,
  type ReconcileState,
  type ReconcileStep,
  type StepAnswer,
} from './protocol.ts';
import type { MeasuredTime, SyncContext } from './sync-context.ts';

/** Result of reconciling one twin. */
export type ReconcileResult = 'nothing' | 'unchanged' | 'stored' | 'corrected' | 'requeued' | 'deleted';

/** The result of reconciling one twin, and the snapshot after it. */
export interface Reconciled {
  readonly result: ReconcileResult;
  readonly known: Known;
  /** There was no permit for a read or write of this twin. Other twins of the hub would get none either. */
  readonly lacksPermit?: boolean;
  /** There was no permit to apply the manifest of its IoT Edge device. It asks again at the time of its work item. */
  readonly lacksApplyPermit?: boolean;
  /** The move request of the device was set. */
  readonly isAskedToMove?: boolean;
}

/** Waits until a twin may call its hub. */
export type BeforeHub = () => Promise<void>;

export const atOnce: BeforeHub = async () => {};

/** Performs the steps of the protocol for one twin, until its result is stored. */
export class TwinWork {
  readonly #context: SyncContext;
  readonly #hub: Hub;
  readonly #before: Snapshot | undefined;
  #record: TwinRecord;
  #lacksPermit = false;
  #isAskedToMove = false;
  /** The paths of the write whose result is not stored yet. */
  #written: readonly (readonly string[])[] = [];

  constructor(record: TwinRecord, hub: Hub, context: SyncContext) {
    this.#record = record;
    this.#before = record.known.kind === 'snapshot' ? record.known.snapshot : undefined;
    this.#hub = hub;
    this.#context = context;
  }

  /**
   * Returns `'conflict'` if another instance has changed the record in between.
   *
   * @param beforeHub awaited before each call to the hub.
   */
  async perform(
    start: (at: Surroundings) => Next,
    beforeHub: BeforeHub = atOnce,
  ): Promise<Reconciled | 'conflict'> {
    let { work, step } = start(this.#surroundings());
    const first = work.snapshot;
    for (;;) {
      switch (step.kind) {
        case 'settle': {
          const settled = await this.#end(step.snapshot, 'stored', step.isCorrected);
          return settled === 'conflict' || !this.#isAskedToMove
            ? settled
            : { ...settled, isAskedToMove: true };
        }
        case 'requeue': {
          const requeued = await this.#end(step.snapshot, 'requeued');
          return requeued === 'conflict' || !this.#lacksPermit
            ? requeued
            : { ...requeued, lacksPermit: true };
        }
        case 'forget':
          return this.#forget(step.at);
      }
      await beforeHub();
      const answered = await this.#act(work, step);
      if (answered === 'conflict') return answered;
      if (answered.answer.kind === 'written') {
        this.#measure('berth.correction.time', correctionTime(this.#before, first, this.#context.hubNow()));
        this.#isAskedToMove ||= this.#setsMoveRequest(answered.answer.plan);
      }
      ({ work, step } = nextStep(answered.work, answered.answer, this.#surroundings()));
    }
  }

  #setsMoveRequest({ writes }: Plan): boolean {
    const { moveRequest } = this.#context.fleet.twins;
    return writes.some(({ policy, value }) => policy === moveRequest?.policy.hash && value !== null);
  }

  #surroundings(): Surroundings {
    const { fleet, hubNow } = this.#context;
    return { fleet, now: hubNow() };
  }

  /** Makes one call to the hub, if there is a permit. */
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
          isLogged,
        );
        if (answer.kind === 'noPermit') this.#lacksPermit = true;
        return { work, answer };
      }
      case 'askStatus': {
        // Does not set `lacksPermit`, because reads and writes of other twins may still get permits.
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

  /** One PATCH, after its intent is stored. */
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
    // The permit may have taken long, and the fleet may have been paused in between.
    const before = await gate.current();
    if (before !== work.gate) return { work, answer: { kind: 'gateChanged', gate: before } };
    const intent = intentOf(work, planned, this.#surroundings());
    if ((await this.#save({ kind: 'snapshot', snapshot: intent.snapshot })) === 'conflict') return 'conflict';
    const now = await gate.current();
    if (now !== before) return { work: intent, answer: { kind: 'gateChanged', gate: now } };
    try {
      const twin = await hubs.patchDesired(permit, planned.patch, etag);
      this.#written = planned.writes.map(({ path }) => path);
      return { work: intent, answer: { kind: 'written', twin, plan: planned } };
    } catch (error) {
      const answer = this.#failed(error, work.snapshot.workItem?.tries);
      if (isLoggedWrite(error, planned)) this.#warn(error);
      return { work: intent, answer: { ...answer, plan: planned } };
    }
  }

  async #call<Result>(
    work: ReconcileState,
    ask: () => Promise<Permitted<Result>>,
    toAnswer: (result: Result) => StepAnswer,
    isWarned: (error: unknown) => boolean,
  ): Promise<StepAnswer> {
    try {
      const permitted = await ask();
      return permitted.kind === 'noPermit' ? this.#noPermit(permitted) : toAnswer(permitted.answer);
    } catch (error) {
      const answer = this.#failed(error, work.snapshot.workItem?.tries);
      if (isWarned(error)) this.#warn(error as BerthError);
      return answer;
    }
  }

  /** Converts the time to the hubs' clock, as all times of work items are. */
  #noPermit({ at, why, isQuota }: NoPermit): Extract<StepAnswer, { kind: 'noPermit' }> {
    const { now, hubNow } = this.#context;
    return { kind: 'noPermit', at: plus(hubNow(), at - now()), why, isQuota };
  }

  /** @throws the error itself if it is not a failure of the hub: a defect, or the state tables. */
  #failed(error: unknown, tries = 0): Extract<StepAnswer, { kind: 'failed' }> {
    if (!(error instanceof BerthError) || mustComeAgain(error)) throw error;
    const hubError = error instanceof HubError ? error : undefined;
    const failure = {
      code: error.code,
      message: error.message,
      hubCode: String(hubError?.hubCode ?? hubError?.status),
      mayHaveApplied: hubError?.mayHaveApplied ?? false,
      answeredAt: hubError?.answeredAt,
      backOffMs: backOff(error, twinKey(this.#record.id), tries),
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
    // After most events the version differs, so that the full comparison is not needed.
    const isNewer = known.kind !== 'snapshot' || known.snapshot.version !== snapshot.version;
    if (!isNewer && sameJson(asJson(known), asJson(after))) {
      return { result: isCorrected ? 'corrected' : 'unchanged', known: after };
    }
    if ((await this.#save(after)) === 'conflict') return 'conflict';
    this.#measure('berth.acknowledgement.time', acknowledgementTime(this.#before, snapshot));
    this.#expectEchoes(snapshot);
    return { result: isCorrected ? 'corrected' : result, known: after };
  }

  /** The event of a write must come back. Only writes whose result is stored count, because their events are recognised. */
  #expectEchoes(snapshot: Snapshot): void {
    const { evidence } = this.#context;
    for (const { at } of lastOwnChanges(snapshot, this.#written))
      evidence.wrote(snapshot.id.host, millisecondsOf(at));
    this.#written = [];
  }

  async #forget(at: Extract<ReconcileStep, { kind: 'forget' }>['at']): Promise<Reconciled | 'conflict'> {
    const known: Known = { kind: 'deleted', at };
    return (await this.#save(known)) === 'conflict' ? 'conflict' : { result: 'deleted', known };
  }

  #measure(what: MeasuredTime, ms: number | undefined): void {
    if (ms !== undefined) this.#context.measure?.(what, this.#record.id.host, ms);
  }

  async #save(known: Exclude<Known, { kind: 'nothing' }>): Promise<'saved' | 'conflict'> {
    const saved = await this.#context.twins.save(this.#record, known);
    if (saved === 'conflict') return saved;
    this.#record = saved;
    return 'saved';
  }
}

/** Whether an error is logged. Throttling is normal, and a missing twin has its own step. */
function isLogged(error: unknown): error is BerthError {
  return (
    error instanceof BerthError &&
    error.code !== 'BERTH_HUB_THROTTLED' &&
    error.code !== 'BERTH_HUB_NOT_FOUND'
  );
}

/** Whether an error of a write is logged. A write by another writer is normal. Several refused values are first tried one by one. */
function isLoggedWrite(error: unknown, { writes }: Plan): error is BerthError {
  if (!isLogged(error) || error.code === 'BERTH_HUB_PRECONDITION_FAILED') return false;
  return error.code !== 'BERTH_HUB_REFUSED' || writes.length === 1;
}

/** As it is stored, without undefined members. */
function asJson(known: Known): JsonValue {
  return JSON.parse(JSON.stringify(known)) as JsonValue;
}
