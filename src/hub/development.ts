/**
 * The well-known service policy of the local hubs, used where `IOT_ENDPOINT` is set. Public on purpose: it
 * opens nothing but an emulator on this machine.
 */
export const DEVELOPMENT_POLICY = {
  keyName: 'iothubowner',
  key: 'YmVydGgtbG9jYWwtZGV2ZWxvcG1lbnQta2V5LTAwMDE=',
} as const;
