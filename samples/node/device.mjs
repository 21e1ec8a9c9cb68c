// A device with Microsoft's SDK for Node.js. It runs in Azure and with the local stack without a change.
import sdk from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';

const { Client, Message } = sdk;
const connectionString = process.env.IOTHUB_DEVICE_CONNECTION_STRING;
if (!connectionString) {
  console.error('Set IOTHUB_DEVICE_CONNECTION_STRING. See README.md.');
  process.exit(1);
}
const client = Client.fromConnectionString(connectionString, Mqtt);
await client.open();
console.log('connected');

const twin = await client.getTwin();
twin.on('properties.desired', (desired) => console.log('desired', JSON.stringify(desired)));
await new Promise((resolve, reject) => {
  twin.properties.reported.update({ sample: 'node' }, (error) => (error ? reject(error) : resolve()));
});
console.log('reported');

client.onDeviceMethod('ping', (request, response) => {
  console.log('method ping', JSON.stringify(request.payload));
  response.send(200, { pong: request.payload }, () => {});
});
client.on('message', (message) => {
  console.log('message', message.getData().toString());
  client.complete(message, () => {});
});

const timer = setInterval(async () => {
  const message = new Message(JSON.stringify({ temperature: 20 + Math.random() }));
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  await client.sendEvent(message);
  console.log('sent');
}, 1000);
process.once('SIGINT', async () => {
  clearInterval(timer);
  await client.close();
});
