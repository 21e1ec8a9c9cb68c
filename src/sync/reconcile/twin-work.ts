import { BerthError } from '../../errors.ts';
import type { Fleet, Hub } from '../../fleet/fleet.ts';
import type { HubBudget, HubOperation } from '../../hub/budget.ts';
import { HubError, type HubPort } from '../../hub/port.ts';
import { type JsonValue, sameJson } from '../../json/json.ts';
import { mustComeAgain } from '../../store/tables/newer-format.ts';
import type { TwinRecord, TwinStore } from '../../store/twins/twin-store.ts';
import type { Known } from '../../twin/events/fold.ts';
import type { Redaction } from '../../twin/events/redact.ts';
import type { Plan } from '../../twin/plan/plan.ts';
import type { Shadow } from '../../twin/snapshot/shadow.ts';
import { twinKey } from '../../twin/snapshot/twin.ts';
import { backOff } from './back-off.ts';
import {
  type Answer,
  intentOf,
  type Next,
  nextStep,
  type Step,
  type Surroundings,
  type Work,
} from './protocol.ts';
import type { Gate } from './write-gate.ts';

/** What reconciling a twin works with, and what the queue and the batch hand on. */
export interface ReconcileContext {
  readonly fleet: Fleet;
  /** Their answers are redacted already: `redactHubs`. */
  readonly hubs: HubPort;
  readonly store: Pick<TwinStore, 'save'>;
  /** What the control row allows, as it is known now. */
  readonly gate: { current(): Promise<Gate> };
  readonly budget: HubBudget;
  /** What is to be redacted in events, and in what was stored before it was. */
  readonly redaction: Redaction;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The hubs' clock, for everything that waits: its times are compared with the hubs' own; default `now`. */
  readonly hubNow?: () => number;
  /** From then on hubs are left alone and what they would be asked for is due, ms since the epoch. */
  readonly until: number;
  /** Told of hub trouble that a person should know of. */
  readonly warn: (message: string, facts: Readonly<Record<string, JsonValue>>) => void;
}

/** What reconciling one twin came to. */
export type ReconcileResult = 'nothing' | 'unchanged' | 'stored' | 'corrected' | 'due' | 'deleted';

/** The result of reconciling one twin, and what is known of it after that. */
export interface Reconciled {
  readonly result: ReconcileResult;
  readonly known: Known;
}

/** Performs the steps of the protocol for one twin, from its record to what is stored in the end. */
export class TwinWork {
  readonly #context: ReconcileContext;
  readonly #hub: Hub;
  #record: TwinRecord;

  constructor(record: TwinRecord, hub: Hub, context: ReconcileContext) {
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
          return this.#end(step.shadow, 'stored', step.isCorrected);
        case 'requeue':
          return this.#end(step.shadow, 'due');
        case 'forget':
          return this.#forget(step.at);
      }
      const answered = await this.#act(work, step);
      if (answered === 'conflict') return answered;
      ({ work, step } = nextStep(answered.work, answered.answer, this.#surroundings()));
    }
  }

  #surroundings(): Surroundings {
    const { fleet, now, hubNow = now } = this.#context;
    return { fleet, now: hubNow() };
  }

  /** One call to the hub, or what keeps it from being made. */
  async #act(
    work: Work,
    step: Extract<Step, { kind: 'read' | 'write' | 'askStatus' }>,
  ): Promise<{ readonly work: Work; readonly answer: Answer } | 'conflict'> {
    const { hubs } = this.#context;
    const { id } = work.shadow;
    switch (step.kind) {
      case 'read': {
        const answer = await this.#call('read', work, async () => ({
          kind: 'twin',
          twin: await hubs.readTwin(id),
        }));
        return { work, answer };
      }
      case 'askStatus': {
        const answer = await this.#call('identity', work, async () => ({
          kind: 'status',
          status: await hubs.identityStatus(id),
        }));
        return { work, answer };
      }
      case 'write':
        return this.#write(work, step.plan, step.etag);
    }
  }

  /** One PATCH, between two transactions: what it is about to do, and what came of it. */
  async #write(
    work: Work,
    planned: Plan,
    etag: string,
  ): Promise<{ readonly work: Work; readonly answer: Answer } | 'conflict'> {
    const { gate, hubs } = this.#context;
    const wait = await this.#permit('write');
    if (wait !== undefined) return { work, answer: { ...wait, plan: planned } };
    // The permit may have been long in coming, and the fleet may have been paused meanwhile.
    const before = await gate.current();
    if (before !== work.gate) return { work, answer: { kind: 'gateChanged', gate: before } };
    const intent = intentOf(work, planned, this.#surroundings());
    if ((await this.#save({ kind: 'shadow', shadow: intent.shadow })) === 'conflict') return 'conflict';
    const now = await gate.current();
    if (now !== before) return { work: intent, answer: { kind: 'gateChanged', gate: now } };
    try {
      const twin = await hubs.patchDesired(work.shadow.id, planned.patch, etag);
      return { work: intent, answer: { kind: 'written', twin, plan: planned } };
    } catch (error) {
      const answer = this.#failed(error, work.shadow.due?.tries);
      if (isToldOfWrite(error, planned)) this.#warn(error);
      return { work: intent, answer: { ...answer, plan: planned } };
    }
  }

  async #call(operation: HubOperation, work: Work, ask: () => Promise<Answer>): Promise<Answer> {
    const wait = await this.#permit(operation);
    if (wait !== undefined) return wait;
    try {
      return await ask();
    } catch (error) {
      const answer = this.#failed(error, work.shadow.due?.tries);
      if (operation === 'identity' || isTold(error)) this.#warn(error as BerthError);
      return answer;
    }
  }

  /** Undefined: the call may be made now. */
  async #permit(operation: HubOperation): Promise<Extract<Answer, { kind: 'noPermit' }> | undefined> {
    const { budget, now, hubNow = now, until } = this.#context;
    if (now() > until) {
      return { kind: 'noPermit', at: hubNow(), why: 'the batch ran out of time', isQuota: false };
    }
    const turn = await budget.turn(this.#hub, operation, until);
    if (turn.isNow) return undefined;
    const wait = turn.at - now();
    return { kind: 'noPermit', at: hubNow() + wait, why: turn.why, isQuota: turn.isQuota };
  }

  /** @throws what is no trouble with the hub: a defect, or the state tables. */
  #failed(error: unknown, tries = 0): Extract<Answer, { kind: 'failed' }> {
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

  async #end(shadow: Shadow, result: ReconcileResult, isCorrected = false): Promise<Reconciled | 'conflict'> {
    const { known } = this.#record;
    const after: Known = { kind: 'shadow', shadow };
    // Nearly always an event was merged, which is told without looking at everything.
    const isNewer = known.kind !== 'shadow' || known.shadow.version !== shadow.version;
    if (!isNewer && sameJson(asJson(known), asJson(after))) {
      return { result: isCorrected ? 'corrected' : 'unchanged', known: after };
    }
    if ((await this.#save(after)) === 'conflict') return 'conflict';
    return { result: isCorrected ? 'corrected' : result, known: after };
  }

  async #forget(at: Extract<Step, { kind: 'forget' }>['at']): Promise<Reconciled | 'conflict'> {
    const known: Known = { kind: 'deleted', at };
    return (await this.#save(known)) === 'conflict' ? 'conflict' : { result: 'deleted', known };
  }

  async #save(known: Exclude<Known, { kind: 'nothing' }>): Promise<'saved' | 'conflict'> {
    const saved = await this.#context.store.save(this.#record, known);
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
