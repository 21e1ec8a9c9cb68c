import type { HostedFunction } from '../hosted-function.ts';
import { type AppEnvironment, connectionString, expandSettings, SettingProblem } from '../settings.ts';

export const isEventHubTrigger = (fn: HostedFunction): boolean =>
  fn.trigger.type.toLowerCase() === 'eventhubtrigger';

/** Which events a function gets, and in which form. */
export interface EventHubSource {
  /** Without `EntityPath`. A secret. */
  readonly connectionString: string;
  readonly eventHubName: string;
  readonly consumerGroup: string;
  readonly form: EventForm;
}

/** Cardinality and dataType of the binding; `json` is `many` without a dataType. */
export type EventForm = 'one-string' | 'one-binary' | 'many-json' | 'many-string' | 'many-binary';

/**
 * Resolves the binding against the app settings.
 *
 * @throws SettingProblem when a setting is missing or unusable.
 */
export function eventHubSource(fn: HostedFunction, environment: AppEnvironment): EventHubSource {
  const { connection, eventHubName, consumerGroup, cardinality, dataType } = fn.trigger;
  const resolve = (value: unknown) => expandSettings(typeof value === 'string' ? value : '', environment);
  if (typeof connection !== 'string' || connection === '') {
    throw new SettingProblem('its binding has no connection, which must name an app setting');
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
    throw new SettingProblem(`the app setting ${connection} holds no Event Hubs connection string`);
  }
  // The entity path of a connection string beats the binding's name.
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
