// The index of the package would load AMQP and jobs too.
export { Registry } from 'azure-iothub/dist/registry.js';
