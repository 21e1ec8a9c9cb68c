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
