import type { KeptLetter } from '../../store/dead-letters/dead-letter-store.ts';
import type { TwinStore } from '../../store/twins/twin-store.ts';
import type { EpochMs } from '../../time/epoch-ms.ts';
import { parseInstant } from '../../time/instant.ts';
import type { EventContext, TwinEvent } from '../../twin/events/event.ts';
import type { TwinId } from '../../twin/snapshot/twin.ts';
import { markForRead } from '../reconcile/mark-for-read.ts';
import { decode } from './batch.ts';

export interface ReplayOptions {
  readonly context: EventContext;
  readonly store: Pick<TwinStore, 'load' | 'save' | 'modulesOf'>;
  readonly now: EpochMs;
}

/** The result of replaying a dead letter with the present code. Only a letter that `stays` is still needed. */
export type Replayed =
  | { readonly kind: 'marked'; readonly id: TwinId }
  /** Its twin was deleted later than the event. */
  | { readonly kind: 'deleted'; readonly id: TwinId }
  | { readonly kind: 'ignored'; readonly why: string }
  | { readonly kind: 'stays'; readonly why: string };

/**
 * Decodes a dead letter again, and marks its twin to be read from the hub. The old body is never merged, because the twin
 * has changed since.
 *
 * @throws BerthError `BERTH_STORE_UNAVAILABLE`
 */
export async function replay(letter: KeptLetter, { context, store, now }: ReplayOptions): Promise<Replayed> {
  // With cut properties, the identity of the event may be wrong.
  if (letter.cut.includes('properties') || letter.cut.includes('systemProperties')) {
    return { kind: 'stays', why: 'has properties that were too long to be stored in full' };
  }
  const decoded = decode(letter, context);
  switch (decoded.kind) {
    case 'ignored':
      return { kind: 'ignored', why: decoded.why };
    case 'heartbeat':
      return { kind: 'ignored', why: 'is a heartbeat of Berth' };
    case 'unknownSource':
      return { kind: 'ignored', why: `has the unknown source ${JSON.stringify(decoded.source)}` };
    case 'unknownHub':
      return { kind: 'stays', why: `is from ${decoded.hubName}, which the fleet file does not list` };
    case 'undecodable':
      return {
        kind: 'stays',
        why: letter.cut.includes('body')
          ? `${decoded.reason}; only ${letter.body.byteLength} of the ${letter.bodyBytes} bytes of its body are stored`
          : decoded.reason,
      };
    case 'twin': {
      const { id } = decoded.event;
      const mark = {
        since: timeOf(decoded.event, letter),
        why: `dead letter ${letter.id} was replayed`,
        priority: 'drift',
        now,
      } as const;
      const isOfDevice = decoded.event.kind === 'delete' && id.moduleId === undefined;
      const modules = isOfDevice ? await store.modulesOf(id) : [];
      // The device comes last. If the replay stops before that, it can be repeated.
      for (const module of modules) await markForRead(store, module, mark);
      return { kind: await markForRead(store, id, mark), id };
    }
  }
}

/** The time of the event, but not later than its arrival. A time in the future would hide all later events. */
function timeOf({ time }: TwinEvent, { enqueuedAt }: KeptLetter): TwinEvent['time'] {
  const arrived = parseInstant(enqueuedAt);
  return arrived !== undefined && arrived < time ? arrived : time;
}
