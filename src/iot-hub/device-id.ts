/** Ids of devices (iot-hub-devguide-identity-registry). */
export const DEVICE_ID = /^[A-Za-z0-9\-.+%_#*?!(),:=@$']{1,128}$/;
