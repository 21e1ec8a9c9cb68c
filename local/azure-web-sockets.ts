import type { AmqpServer } from './amqp/index.ts';
import type { WebSocketRoute } from './https/index.ts';
import type { MqttServer } from './mqtt/index.ts';

/**
 * The WebSockets of IoT Hub, DPS and Event Hubs on the HTTPS port (iot-hub-devguide-protocols.md; the SDKs for the
 * subprotocols). The MQTT server and the AMQP server find the service, as for clients of their own ports. The SDK for C# opens
 * the WebSockets of DPS without a path.
 */
export function azureWebSockets(servers: {
  readonly mqtt: Pick<MqttServer, 'accept'>;
  readonly amqp: Pick<AmqpServer, 'accept'>;
}): readonly WebSocketRoute[] {
  const { mqtt, amqp } = servers;
  return [
    { path: '/$iothub/websocket', protocol: 'mqtt', accept: mqtt.accept },
    { path: '/$iothub/websocket', protocol: 'AMQPWSB10', accept: amqp.accept },
    { path: '/$servicebus/websocket', protocol: 'AMQPWSB10', accept: amqp.accept },
    { path: '/', protocol: 'mqtt', accept: mqtt.accept },
    { path: '/', protocol: 'AMQPWSB10', accept: amqp.accept },
  ];
}
