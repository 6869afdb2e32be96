/**
 * The spelling of field names. Docker's daemon reads JSON with Go's decoder, which matches names whatever their
 * case (encoding/json, "preferring an exact match but also accepting a case-insensitive match"), and clients rely
 * on it. Here the schema of a body gives the one spelling that the rest of the code knows.
 */

import { invalid } from '@seaway/engine';

/** What of a JSON schema says which names there are. */
export interface FieldSchema {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly additionalProperties?: FieldSchema | boolean;
}

/**
 * A copy of the value in which the schema's fields are spelt as in the schema. Of two spellings of one field the
 * last counts, as in Go; names that the schema does not know, such as those of labels, stay as they are.
 * @throws invalid for a number of a known field that is larger than the 64 bits that it has in Go
 */
export function canonicalFields(value: unknown, schema: FieldSchema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item) => canonicalFields(item, items)) : value;
  }
  if (typeof value === 'number' && schema.type !== undefined) checkNumber(value);
  if (typeof value !== 'object' || value === null) return value;
  const { properties = {}, additionalProperties } = schema;
  const others = typeof additionalProperties === 'object' ? additionalProperties : {};
  const names = new Map(Object.keys(properties).map((name) => [name.toLowerCase(), name]));
  return Object.fromEntries(
    Object.entries(value).map(([given, field]) => {
      const name = names.get(given.toLowerCase());
      return name === undefined
        ? [given, canonicalFields(field, others)]
        : [name, canonicalFields(field, properties[name]!)];
    }),
  );
}

function checkNumber(value: number): void {
  if (value >= -(2 ** 63) && value <= 2 ** 63) return;
  throw invalid('invalid-json', `invalid JSON: ${value} does not fit 64 bits`);
}
