/** What can go wrong between the command line and the daemon. */

/** The daemon answered with an error status. `message` is its own sentence. */
export class DaemonError extends Error {
  /** HTTP status code. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'DaemonError';
    this.status = status;
  }
}

/** No answer came: nothing listens, access is denied, or the connection broke on the way. */
export class ConnectionError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ConnectionError';
  }
}

/**
 * Takes the message out of an error answer's body: `{"message":"..."}` as the Docker Engine API defines it,
 * or the bare text, or the status alone when the body is empty.
 */
export function parseErrorBody(status: number, body: string): string {
  const text = body.trim();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'message' in parsed) {
      if (typeof parsed.message === 'string' && parsed.message !== '') return parsed.message;
    }
  } catch {
    // Not JSON: a proxy or a very old engine answered in plain text.
  }
  return text === '' ? `the daemon answered with status ${status} and no message` : text;
}

/** Puts a failed connection into words, with what to do about it where we can know. */
export function describeConnectionFailure(address: string, code: string | undefined, detail: string): string {
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `cannot connect to the daemon at ${address}: is it running?`;
    case 'EACCES':
    case 'EPERM':
      return `permission denied while connecting to the daemon at ${address}`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `the daemon at ${address} closed the connection`;
    default:
      return `cannot reach the daemon at ${address}: ${detail}`;
  }
}

/** Gives an answer that broke off on the way its name; other errors stay as they are. */
export function explainBrokenStream(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ECONNRESET' && code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE') return error;
  return new ConnectionError('the connection to the daemon was lost', error);
}
