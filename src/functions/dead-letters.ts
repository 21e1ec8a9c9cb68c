import type { DeadLetterAnswer, DeadLetterList } from '../api/contract.ts';
import { deadLettersQuery, readQuery } from '../api/queries.ts';
import { BerthError, ERRORS, type ErrorCode } from '../errors.ts';
import type { Instance } from '../instance/instance.ts';
import { hostName, shortName } from '../iot-hub/host-name.ts';
import type { JsonObject } from '../json/json.ts';
import type { KeptLetter, LetterSummary } from '../store/dead-letters/dead-letter-store.ts';
import { letterText } from '../store/dead-letters/letter-text.ts';
import { DAY_MS } from '../time/day.ts';
import { EPOCH, type EpochMs, earlierOf, laterOf, plus } from '../time/epoch-ms.ts';
import { answeringErrors, type HttpHandler, taggedAnswer } from './http-answer.ts';

const DEFAULT_DAYS = 7;

/** Events that could not be read: a list of the newest. */
export function deadLetters(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const query = readQuery(deadLettersQuery, request.query);
    const now = instance.now();
    const { since = plus(now, -DEFAULT_DAYS * DAY_MS), until, top } = query;
    const { deadLetters: store, letterHours } = instance.stores;
    const [{ letters, more, isCounted }, beyond] = await Promise.all([
      store.newest(
        {
          since,
          // The clock of Event Hubs may be ahead of this one.
          until: earlierOf(until ?? plus(now, DAY_MS), plus(now, DAY_MS)),
          code: knownCode(query.errorCode),
          hubName: query.hub === undefined ? undefined : shortName(hostName(query.hub)),
        },
        top,
      ),
      letterHours.beyond(laterOf(since, oldestKept(instance, now))),
    ]);
    return taggedAnswer<DeadLetterList>(request, {
      letters: letters.map(summaryOf),
      more,
      isCounted,
      onlyCounted: beyond.reduce((sum, { events }) => sum + events, 0),
    });
  });
}

/** Counts before this time are removed. A wrong setting removes none, and must not take away the list. */
function oldestKept({ retention }: Instance, now: EpochMs): EpochMs {
  try {
    return plus(now, -retention.deadLetterDays() * DAY_MS);
  } catch (error) {
    if (error instanceof BerthError && error.code === 'BERTH_SETTING_INVALID') return EPOCH;
    throw error;
  }
}

/** @throws BerthError `BERTH_REQUEST_INVALID` */
function knownCode(text: string | undefined): ErrorCode | undefined {
  const known = Object.keys(ERRORS).find((code) => code === text?.toUpperCase());
  if (text === undefined || known !== undefined) return known as ErrorCode | undefined;
  throw new BerthError(
    'BERTH_REQUEST_INVALID',
    `errorCode is ${JSON.stringify(text)}: give the code of an error, such as BERTH_EVENT_NOT_JSON.`,
  );
}

/** One event that could not be read, with its contents. The parts of its id are in the route. */
export function deadLetter(instance: Instance): HttpHandler {
  return answeringErrors(async (request) => {
    const { day, partition, number, digest } = request.params;
    const id = [day, partition, number, digest].join('/');
    const store = instance.stores.deadLetters;
    const found = await store.find(id);
    if (found === undefined) {
      throw new BerthError(
        'BERTH_REQUEST_INVALID',
        `${JSON.stringify(id)} is not an id of a dead letter: give one as the list has it, such as 2026-11-25/3/1234/9f3a1c2b.`,
      );
    }
    const [summary, ...others] = found;
    const letter = summary && others.length === 0 ? await store.read(summary.key) : undefined;
    if (summary === undefined || letter === undefined) {
      throw new BerthError(
        'BERTH_DEAD_LETTER_UNKNOWN',
        others.length > 0
          ? `${JSON.stringify(id)} names ${found.length} dead letters: give the whole id.`
          : `There is no dead letter ${JSON.stringify(id)}.`,
      );
    }
    return taggedAnswer<DeadLetterAnswer>(request, { ...summaryOf(summary), ...contentsOf(letter) });
  });
}

function summaryOf({ id, enqueuedAt, code, hubName, deviceId, moduleId, reason }: LetterSummary) {
  return {
    id,
    enqueuedAt,
    code,
    reason,
    hub: hubName ?? null,
    deviceId: deviceId ?? null,
    moduleId: moduleId ?? null,
  };
}

/** What was kept is redacted already. */
function contentsOf(letter: KeptLetter) {
  const { partition, sequenceNumber, isRedacted = false, cut, body, bodyBytes } = letter;
  const text = letterText(letter);
  return {
    partition,
    sequenceNumber,
    isRedacted,
    properties: letter.properties as JsonObject,
    systemProperties: letter.systemProperties as JsonObject,
    cut,
    body: {
      bytes: bodyBytes,
      ...(text === undefined ? { base64: Buffer.from(body).toString('base64') } : { text }),
    },
  };
}
