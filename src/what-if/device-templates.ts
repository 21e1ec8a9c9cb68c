import { type KnownDevice, readKnownDevice } from './known-device.ts';

/** The most templates in memory. A fleet whose devices send many different values is read line by line after that. */
const MOST = 5_000;
/** The beginning of a line that `writeKnownDevice` wrote, for an id without characters that JSON escapes. */
const BEGINNING = /^\{"deviceId":"([^"\\]+)"/;

/** What lines share that differ only in the id of their device. */
export interface DeviceTemplate {
  /** Identifies it in this run. */
  readonly number: number;
  /** The device of the first line. */
  readonly first: KnownDevice;
}

export interface TemplatedDevice extends KnownDevice {
  /** Undefined: no other line can share it. */
  readonly template: DeviceTemplate | undefined;
}

/**
 * Reads devices of a file of `berth export`. Lines that are equal except for the id of the device are read once: in most fleets, few
 * sets of values occur.
 */
export class DeviceTemplates {
  /** By the line, with a mark that no JSON text has in the place of each id. */
  readonly #known = new Map<string, DeviceTemplate>();

  /** Undefined: the line is not a device. */
  read(line: string): TemplatedDevice | undefined {
    const id = BEGINNING.exec(line)?.[1];
    const text = id === undefined ? '' : line.replaceAll(`"${id}"`, '\0');
    const known = text === '' ? undefined : this.#known.get(text);
    if (known !== undefined && id !== undefined)
      return { deviceId: id, hub: known.first.hub, inputs: inputsFor(id, known.first), template: known };
    const device = readKnownDevice(line);
    if (device === undefined) return undefined;
    const isShared = id === device.deviceId && text.split('\0').length - 1 === idsOf(device);
    if (!isShared || this.#known.size >= MOST) return { ...device, template: undefined };
    const template = { number: this.#known.size, first: device };
    this.#known.set(text, template);
    return { ...device, template };
  }
}

/** The inputs of the first device of a template, with the ids of another one. */
function inputsFor(deviceId: string, { inputs }: KnownDevice): KnownDevice['inputs'] {
  if (inputs === undefined) return undefined;
  return {
    ...inputs,
    registrationId: deviceId,
    ...(inputs.deviceId === undefined ? {} : { deviceId }),
    ...(inputs.currentDeviceId === undefined ? {} : { currentDeviceId: deviceId }),
  };
}

/** How often the id of a device stands in its line; NaN if it registers with another id. */
function idsOf({ deviceId, inputs }: KnownDevice): number {
  if (inputs === undefined) return 1;
  const { registrationId, deviceId: enrolled, currentDeviceId } = inputs;
  if ([registrationId, enrolled, currentDeviceId].some((id) => id !== undefined && id !== deviceId))
    return Number.NaN;
  return 2 + Number(enrolled === deviceId) + Number(currentDeviceId === deviceId);
}
