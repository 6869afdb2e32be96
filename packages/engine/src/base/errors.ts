/** The engine's one family of errors. Lower layers throw what they know; nothing here knows about HTTP. */

/** What went wrong, in classes that a caller can act on. `api` maps each to one HTTP status. */
export type ErrorKind =
  | 'notFound'
  | 'conflict'
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'notModified'
  | 'unavailable'
  | 'notImplemented'
  | 'internal';

export interface EngineErrorOptions {
  /** Stable, kebab-case, documented in docs/errors.md, for example `network-not-found`. */
  readonly code: string;
  /** What caused it, kept for the log. */
  readonly cause?: unknown;
  /** The facts of the case (names, ids, addresses), for logs and programs. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly kind: ErrorKind;
  readonly code: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, message: string, options: EngineErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = options.code;
    this.facts = options.facts ?? {};
  }
}

type Shorthand = (
  code: string,
  message: string,
  facts?: Record<string, unknown>,
  cause?: unknown,
) => EngineError;

function shorthand(kind: ErrorKind): Shorthand {
  return (code, message, facts, cause) =>
    new EngineError(kind, message, { code, cause, ...(facts ? { facts } : {}) });
}

/** One constructor for each kind: `throw notFound('network-not-found', 'network x not found', { name })`. */
export const notFound = shorthand('notFound');
export const conflict = shorthand('conflict');
export const invalid = shorthand('invalid');
export const unauthorized = shorthand('unauthorized');
export const forbidden = shorthand('forbidden');
export const notModified = shorthand('notModified');
export const unavailable = shorthand('unavailable');
export const notImplemented = shorthand('notImplemented');
export const internal = shorthand('internal');

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
