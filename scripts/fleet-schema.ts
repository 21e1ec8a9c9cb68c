import { fleetJsonSchema } from '../src/fleet/schema.ts';

process.stdout.write(`${JSON.stringify(fleetJsonSchema(), null, 2)}\n`);
