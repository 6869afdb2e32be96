/** Errors on their way out: the one table from the engine's kinds to HTTP statuses, and Docker's JSON form. */
import { EngineError, type ErrorKind, messageOf } from '@seaway/engine';

export const statusOfKind = {
  notFound: 404,
  invalid: 400,
  unauthorized: 401,
  conflict: 409,
  forbidden: 403,
  notModified: 304,
  unavailable: 503,
  notImplemented: 501,
  internal: 500,
} as const satisfies Record<ErrorKind, number>;

export interface HttpFailure {
  readonly status: number;
  readonly message: string;
}

/** What Fastify's own errors carry. */
interface FrameworkError {
  readonly code?: string;
  readonly statusCode?: number;
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[];
}

/** Largest JSON body in bytes; Docker's own requests stay far below. */
export const MAX_JSON_BYTES = 4 * 1024 * 1024;

export function describeFailure(error: unknown): HttpFailure {
  if (error instanceof EngineError) return { status: statusOfKind[error.kind], message: error.message };
  const { code, statusCode, validation } = error as FrameworkError;
  if (validation?.[0]) {
    const path = validation[0].instancePath.slice(1).replaceAll('/', '.') || 'body';
    return { status: 400, message: `invalid JSON: ${path} ${validation[0].message}` };
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return { status: 413, message: `request body too large: at most ${MAX_JSON_BYTES} bytes are allowed` };
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return { status: 400, message: "malformed Content-Type header: must be 'application/json'" };
  }
  return { status: statusCode ?? 500, message: messageOf(error) };
}

/** Docker ends its JSON bodies with a newline. */
export function errorBody(message: string): string {
  return `${JSON.stringify({ message })}\n`;
}
