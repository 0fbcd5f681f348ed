/** A deep copy of plain data with bytes in it, so that no two nodes share memory. Cheaper than structuredClone by far. */
export function copyMessage<Value>(value: Value): Value {
  return copy(value) as Value;
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(copy);
  const source = value as Record<string, unknown>;
  const target: Record<string, unknown> = {};
  for (const key of Object.keys(source)) target[key] = copy(source[key]);
  return target;
}
