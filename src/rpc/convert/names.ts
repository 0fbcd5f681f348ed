/** The way back of a table of names: undefined for a number that this version does not know. */
export function nameOf<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
  number: number,
): Name | undefined {
  for (const name in numbers) if (numbers[name] === number) return name;
  return undefined;
}

/** All of them converted; null: one of them is not understood. */
export function allOf<From, To>(items: readonly From[], convert: (item: From) => To | null): To[] | null {
  const all: To[] = [];
  for (const item of items) {
    const converted = convert(item);
    if (converted === null) return null;
    all.push(converted);
  }
  return all;
}
