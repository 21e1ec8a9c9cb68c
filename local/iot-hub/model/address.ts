/** The address of an identity and its twin: a device, or one of its modules. */
export interface Address {
  readonly deviceId: string;
  readonly moduleId?: string;
}

export function addressOf(deviceId: string, moduleId?: string): Address {
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}

/** A unique text for each address, because ids contain no slash. It is also the MQTT client id. @example 'dev-1/camera' */
export function addressKey({ deviceId, moduleId }: Address): string {
  return moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
}

export function parseAddressKey(key: string): Address {
  const slash = key.indexOf('/');
  return slash < 0 ? { deviceId: key } : { deviceId: key.slice(0, slash), moduleId: key.slice(slash + 1) };
}

/** The address in the form of tokens and topics. @example 'devices/dev-1/modules/camera' */
export function addressPath({ deviceId, moduleId }: Address): string {
  return moduleId === undefined ? `devices/${deviceId}` : `devices/${deviceId}/modules/${moduleId}`;
}

/**
 * The addresses that a client can mean by ids in a path. Some clients encode an id once, some not at all and some twice, and an
 * id can contain `%`. The most usual reading comes first.
 *
 * @example addressReadings('a%2541') → [{ deviceId: 'a%41' }, { deviceId: 'a%2541' }, { deviceId: 'aA' }]
 */
export function addressReadings(deviceId: string, moduleId?: string): readonly Address[] {
  const read = (decode: (text: string) => string) =>
    addressOf(decode(deviceId), moduleId === undefined ? undefined : decode(moduleId));
  const readings = [read(decoded), read((text) => text), read((text) => decoded(decoded(text)))];
  return readings.filter(
    (each, index) => readings.findIndex((other) => addressKey(other) === addressKey(each)) === index,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
