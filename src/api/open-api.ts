import * as z from 'zod';
import { allocationAnswerSchema, allocationRequestSchema } from './allocation.ts';
import { attentionPageSchema } from './attention.ts';
import { deviceHistorySchema, deviceStatusSchema } from './device.ts';
import { fleetStatusSchema, hubLiveness } from './fleet.ts';
import { healthDetailSchema, healthSchema } from './health.ts';
import { deadLetterListSchema, deadLetterSchema, devicePageSchema, queuePageSchema } from './lists.ts';
import { receiptSchema } from './receipt.ts';
import { type ApiRoute, ROUTES } from './routes.ts';
import { seriesSchema } from './series.ts';
import { errorAnswerSchema, errorCodeSchema, twinCounts, twinStatus } from './values.ts';

/** The schemas that the document names. */
const NAMED = {
  AllocationRequest: allocationRequestSchema,
  AllocationAnswer: allocationAnswerSchema,
  Receipt: receiptSchema,
  FleetStatus: fleetStatusSchema,
  AttentionPage: attentionPageSchema,
  QueuePage: queuePageSchema,
  DevicePage: devicePageSchema,
  DeviceStatus: deviceStatusSchema,
  DeviceHistory: deviceHistorySchema,
  DeadLetterList: deadLetterListSchema,
  DeadLetter: deadLetterSchema,
  Series: seriesSchema,
  Health: healthSchema,
  HealthDetail: healthDetailSchema,
  HubLiveness: hubLiveness,
  Error: errorAnswerSchema,
  ErrorCode: errorCodeSchema,
  TwinStatus: twinStatus,
  TwinCounts: twinCounts,
} as const satisfies Record<string, z.ZodType>;

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  200: 'The answer.',
  304: 'The answer is the one that `If-None-Match` names.',
  400: 'The request is wrong. The error says what to change.',
  404: 'There is no such thing.',
  503: 'Not possible now, or the app must be mended first.',
};

/** The HTTP functions as an OpenAPI 3.1 document. Pure; `npm run schema` writes it to `schemas/openapi.json`. */
export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of ROUTES) {
    const path = `/${route.route.replace('{*path}', '{path}')}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Berth',
      version: '1',
      summary: 'Gives every Azure IoT device its hub and keeps its twin in sync.',
    },
    servers: [{ url: '/api' }],
    security: [{ functionKey: [] }],
    paths,
    components: {
      schemas: namedSchemas(),
      securitySchemes: { functionKey: { type: 'apiKey', in: 'header', name: 'x-functions-key' } },
    },
  };
}

function operationOf({ name, summary, auth, route, query, body, answers, hasETag }: ApiRoute): object {
  const statuses = Object.keys({ ...answers, ...(hasETag && { 304: null }) }).map(Number);
  return {
    operationId: name,
    summary,
    ...(auth === 'anonymous' && { security: [] }),
    parameters: [
      ...[...route.matchAll(/\{\*?(\w+)\}/g)].map(([, parameter = '']) => ({
        name: parameter,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...queryParameters(query),
      ...(hasETag ? [{ name: 'If-None-Match', in: 'header', schema: { type: 'string' } }] : []),
    ],
    ...(body !== undefined && { requestBody: { required: true, content: jsonContent(body) } }),
    responses: Object.fromEntries(
      statuses.map((status) => [status, responseOf(status, answers[status] ?? null, hasETag)]),
    ),
  };
}

function responseOf(status: number, schema: z.ZodType | null, hasETag: boolean): object {
  return {
    description: DESCRIPTIONS[status] ?? '',
    ...(hasETag && status === 200 && { headers: { ETag: { schema: { type: 'string' } } } }),
    ...(schema !== null && { content: jsonContent(schema) }),
  };
}

function jsonContent(schema: z.ZodType): object {
  const name = Object.entries(NAMED).find(([, named]) => named === schema)?.[0];
  if (name === undefined) throw new Error('A schema of a route has no name in the document.');
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } };
}

function queryParameters(query: z.ZodObject): readonly object[] {
  const { properties = {} } = jsonSchemaOf(query, 'input');
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = typeof property === 'object' ? property : {};
    return { name, in: 'query', ...(description !== undefined && { description }), schema };
  });
}

function namedSchemas(): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => dropPatterns(jsonSchema),
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): z.core.JSONSchema.JSONSchema {
  return z.toJSONSchema(schema, { io, override: ({ jsonSchema }) => dropPatterns(jsonSchema) });
}

/** The pattern of a format says nothing more, in half a kilobyte. The limits of safe integers say nothing either. */
function dropPatterns(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.format !== undefined) delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}
