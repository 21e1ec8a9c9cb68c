import type { HostedFunction } from '../hosted-function.ts';
import { type AppEnvironment, connectionString, expandSettings, SettingProblem } from '../settings.ts';

export const isEventHubTrigger = (fn: HostedFunction): boolean =>
  fn.trigger.type.toLowerCase() === 'eventhubtrigger';

/** The event hub of a function and the form of its events. */
export interface EventHubSource {
  /** Secret. Without `EntityPath`. */
  readonly connectionString: string;
  readonly eventHubName: string;
  readonly consumerGroup: string;
  readonly form: EventForm;
}

/** Cardinality and dataType of the binding. `many-json` is `many` without a dataType. */
export type EventForm = 'one-string' | 'one-binary' | 'many-json' | 'many-string' | 'many-binary';

/**
 * Reads the binding of a function, with the app settings that it names.
 *
 * @throws SettingProblem if a setting is missing or not valid.
 */
export function eventHubSource(fn: HostedFunction, environment: AppEnvironment): EventHubSource {
  const { connection, eventHubName, consumerGroup, cardinality, dataType } = fn.trigger;
  const resolve = (value: unknown) => expandSettings(typeof value === 'string' ? value : '', environment);
  if (typeof connection !== 'string' || connection === '') {
    throw new SettingProblem('its binding needs "connection", the name of an app setting');
  }
  const parts = connectionString(connection, environment)
    .split(';')
    .filter((part) => part.trim() !== '');
  const isEntityPath = (part: string) => /^\s*EntityPath=/i.test(part);
  const entityPath = parts
    .find(isEntityPath)
    ?.replace(/^[^=]*=/, '')
    .trim();
  if (!parts.some((part) => /^\s*Endpoint=/i.test(part))) {
    throw new SettingProblem(`the app setting ${connection} is not an Event Hubs connection string`);
  }
  // The entity path of a connection string has precedence over the name in the binding.
  const hub = entityPath || resolve(eventHubName);
  if (hub === '') throw new SettingProblem('its binding names no event hub');
  return {
    connectionString: parts.filter((part) => !isEntityPath(part)).join(';'),
    eventHubName: hub,
    consumerGroup: resolve(consumerGroup) || '$Default',
    form: eventForm(cardinality, dataType),
  };
}

function eventForm(cardinality: unknown, dataType: unknown): EventForm {
  const binary = String(dataType ?? '').toLowerCase() === 'binary';
  if (String(cardinality ?? 'one').toLowerCase() !== 'many') return binary ? 'one-binary' : 'one-string';
  if (binary) return 'many-binary';
  return String(dataType ?? '').toLowerCase() === 'string' ? 'many-string' : 'many-json';
}
