export { EventHubProducerClient } from '@azure/event-hubs';
