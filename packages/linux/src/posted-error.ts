/**
 * Errors as plain data, for posting between threads. Structured clone would turn every error of ours into a
 * bare Error without its fields; this keeps the class of those we know, and the fields of all.
 */
import { LinuxError } from './errno.ts';
import { NetlinkError } from './netlink/socket.ts';
import { NftablesError } from './nftables-error.ts';

export interface PostedError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Own properties that can be cloned: errno, code, syscall, request, ... */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause?: PostedError | undefined;
  /** The errors of an AggregateError. */
  readonly errors?: readonly PostedError[] | undefined;
}

/** By `name`: whose prototype a decoded error gets. */
const prototypes: Readonly<Record<string, object>> = {
  AggregateError: AggregateError.prototype,
  LinuxError: LinuxError.prototype,
  NetlinkError: NetlinkError.prototype,
  NftablesError: NftablesError.prototype,
  RangeError: RangeError.prototype,
  SyntaxError: SyntaxError.prototype,
  TypeError: TypeError.prototype,
};

/** How deep causes are followed: an error may be its own cause. */
const MAX_CAUSES = 8;

/** Anything that was thrown, as plain data. */
export function encodeError(thrown: unknown, depth = 0): PostedError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown), fields: {} };
  const { name, message, stack, cause } = thrown;
  const follow = depth < MAX_CAUSES;
  return {
    name,
    message,
    stack,
    fields: plainFields(thrown),
    cause: cause !== undefined && follow ? encodeError(cause, depth + 1) : undefined,
    errors:
      thrown instanceof AggregateError && follow
        ? thrown.errors.map((error) => encodeError(error, depth + 1))
        : undefined,
  };
}

/** The error again. `instanceof` holds for our classes and the language's own; others are an Error of that name. */
export function decodeError({ name, message, stack, fields, cause, errors }: PostedError): Error {
  const error = new Error(message);
  Object.setPrototypeOf(error, prototypes[name] ?? Error.prototype);
  if (stack !== undefined) error.stack = stack;
  Object.assign(error, fields);
  const hidden = (property: string, value: unknown) =>
    Object.defineProperty(error, property, { value, writable: true, configurable: true, enumerable: false });
  if (error.name !== name) hidden('name', name);
  if (cause !== undefined) hidden('cause', decodeError(cause));
  if (errors !== undefined) hidden('errors', errors.map(decodeError));
  return error;
}

/** Own enumerable properties that structured clone takes without trouble. */
function plainFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(error)) {
    if (name !== 'cause' && isPlain(value)) fields[name] = value;
  }
  return fields;
}

function isPlain(value: unknown): boolean {
  if (value === null) return true;
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value === 'object') {
    return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain);
  }
  return typeof value !== 'function' && typeof value !== 'symbol';
}
