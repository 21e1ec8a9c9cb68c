/**
 * MQTT 3.1.1 over TLS for the local hubs and DPS: only the protocol, without twins and registrations.
 */
export { isTopic } from './connection.ts';
export { type MqttOptions, type MqttServer, startMqtt } from './server.ts';
export {
  CONNECT_REFUSED,
  type MqttConnect,
  type MqttConnection,
  type MqttDelivery,
  type MqttMessage,
  type MqttPacketId,
  type MqttRefusal,
  type MqttService,
  type MqttSession,
  type MqttSubscriptions,
} from './service.ts';
