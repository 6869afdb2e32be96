/** An object whose optional properties may be spelled as undefined, as the type without them. */
type Compact<T> = { [Name in keyof T as undefined extends T[Name] ? never : Name]: T[Name] } & {
  [Name in keyof T as undefined extends T[Name] ? Name : never]?: Exclude<T[Name], undefined>;
};

/** The object without its undefined properties, so that decoded values print and compare as what they hold. */
export function defined<T extends object>(value: T): Compact<T> {
  for (const name of Object.keys(value) as (keyof T)[]) {
    if (value[name] === undefined) delete value[name];
  }
  return value as unknown as Compact<T>;
}
