import { writeFileSync } from 'node:fs';
import { localFileJsonSchema } from '../local/plan/local-file-schema.ts';
import { openApiDocument } from '../src/api/open-api.ts';
import { enrollmentsJsonSchema } from '../src/enroll/schema.ts';
import { fleetJsonSchema } from '../src/fleet/schema.ts';

/** Writes the JSON schemas of the files that people edit, and the document of the HTTP functions. */
const schemas: Readonly<Record<string, object>> = {
  'schemas/fleet.schema.json': fleetJsonSchema(),
  'schemas/enrollments.schema.json': enrollmentsJsonSchema(),
  'schemas/local.schema.json': localFileJsonSchema(),
  'schemas/openapi.json': openApiDocument(),
};
for (const [file, schema] of Object.entries(schemas)) {
  writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
}
