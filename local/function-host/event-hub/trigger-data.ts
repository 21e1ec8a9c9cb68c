import type { Invocation } from '../invocation.ts';
import type { RpcTypedData } from '../rpc.ts';
import type { ReceivedEvent } from './received-event.ts';
import type { EventForm } from './source.ts';
import {
  type MetadataOptions,
  manyMetadata,
  oneMetadata,
  type PartitionContext,
} from './trigger-metadata.ts';

/**
 * The invocation for a batch (for `one`: for one event), as the .NET host builds it:
 *
 * - `many-json`: if one body is not JSON, the handler gets nothing of the batch, and the execution fails
 *   (azure-functions-nodejs-library issues 187, 340).
 * - `many-string`: empty bodies are omitted, so bodies and metadata have different indexes. With the capability
 *   `IncludeEmptyEntriesInMessagePayload` they are included (nodejs-worker issue 639).
 * - `many-binary`: bytes, with empty bodies.
 */
export function eventHubInvocation(
  events: readonly ReceivedEvent[],
  form: EventForm,
  partition: PartitionContext,
  options: MetadataOptions,
): Invocation {
  const [first] = events;
  if (first !== undefined && (form === 'one-string' || form === 'one-binary')) {
    const text = form === 'one-string' ? first.body.toString('utf8') : undefined;
    return {
      data: text === undefined ? { bytes: first.body } : { string: text },
      triggerMetadata: oneMetadata(first, text, partition, options),
    };
  }
  return {
    data: () => manyData(events, form, options),
    triggerMetadata: manyMetadata(events, partition, options),
  };
}

function manyData(events: readonly ReceivedEvent[], form: EventForm, options: MetadataOptions): RpcTypedData {
  if (form === 'many-binary') return { collectionBytes: { bytes: events.map(({ body }) => body) } };
  const texts = events.map(({ body }) => body.toString('utf8'));
  if (form === 'many-string') {
    return {
      collectionString: { string: texts.filter((text) => text !== '' || options.includeEmptyEntries) },
    };
  }
  for (const [index, text] of texts.entries()) {
    if (!isJson(text)) {
      throw new Error(
        `Exception binding parameter: event ${events[index]?.sequenceNumber} is not JSON. Binding parameters to complex objects ` +
          "(such as 'Object') uses Json.NET serialization: one such event fails its whole batch. Use dataType 'binary'.",
      );
    }
  }
  return { json: `[${texts.join(',')}]` };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
