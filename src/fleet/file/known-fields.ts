import * as z from 'zod';

/**
 * The fields that a schema allows at a path: those of every kind of object that may stand there.
 *
 * @param path as zod gives it in an issue: names of fields and numbers of items
 */
export function fieldsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const here = path.reduce<readonly z.core.$ZodType[]>(
    (schemas, part) => schemas.flatMap(plain).flatMap((each) => below(each, part)),
    [schema],
  );
  return [...new Set(here.flatMap(plain).flatMap(fieldsOf))];
}

/** A schema without what is around it: defaults, options, unions. */
function plain(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(plain);
  if (schema instanceof z.ZodPipe) return [...plain(schema.in), ...plain(schema.out)];
  if (schema instanceof z.ZodLazy) return plain(schema.unwrap());
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly
  ) {
    return plain(schema.unwrap());
  }
  return [schema];
}

function below(schema: z.core.$ZodType, part: PropertyKey): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodArray && typeof part === 'number') return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  if (!(schema instanceof z.ZodObject)) return [];
  const shape = schema.shape as Readonly<Record<PropertyKey, z.core.$ZodType>>;
  const field = Object.hasOwn(shape, part) ? shape[part] : undefined;
  return field === undefined ? [] : [field];
}

function fieldsOf(schema: z.core.$ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}
