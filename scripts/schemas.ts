import { writeFileSync } from 'node:fs';
import { enrollmentsJsonSchema } from '../src/enroll/schema.ts';
import { fleetJsonSchema } from '../src/fleet/schema.ts';

/** Writes the JSON schemas of the files that people edit. */
const schemas: Readonly<Record<string, object>> = {
  'schemas/fleet.schema.json': fleetJsonSchema(),
  'schemas/enrollments.schema.json': enrollmentsJsonSchema(),
};
for (const [file, schema] of Object.entries(schemas)) {
  writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
}
