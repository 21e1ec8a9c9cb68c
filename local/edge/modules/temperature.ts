import type { JsonObject } from '../../../src/json/json.ts';

/* The figures of SimulatedTemperatureSensor (Azure/iotedge, edge-modules/SimulatedTemperatureSensor). */

const MACHINE = { minimum: 21, maximum: 100 };
const PRESSURE = { minimum: 1, maximum: 10 };
const AMBIENT = 21;
const LEAST_HUMIDITY = 24;
const HUMIDITY_SPREAD = 2;

/** The temperature of the machine when the sensor starts, and after a reset. */
export const FIRST_TEMPERATURE = MACHINE.minimum;

/**
 * The next temperature: it rises to its maximum and then stays around it.
 *
 * @param random a number from 0 to 1 (exclusive)
 */
export function nextTemperature(temperature: number, random: number): number {
  return temperature > MACHINE.maximum ? temperature + random - 0.5 : temperature - 0.25 + random * 1.5;
}

/** The body of a message. @param random as in `nextTemperature` */
export function measurement(temperature: number, random: number, at: number): JsonObject {
  const slope = (PRESSURE.maximum - PRESSURE.minimum) / (MACHINE.maximum - MACHINE.minimum);
  return {
    machine: { temperature, pressure: PRESSURE.minimum + (temperature - MACHINE.minimum) * slope },
    ambient: {
      temperature: AMBIENT + random - 0.5,
      humidity: LEAST_HUMIDITY + Math.floor(random * (HUMIDITY_SPREAD + 1)),
    },
    timeCreated: new Date(at).toISOString(),
  };
}

/** A .NET time span as milliseconds; undefined for another text. @example '00:00:05' → 5000 */
export function timeSpan(text: string): number | undefined {
  const [, days = '0', hours, minutes, seconds] =
    /^(?:(\d+)\.)?(\d\d?):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text) ?? [];
  if (hours === undefined) return undefined;
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
}
