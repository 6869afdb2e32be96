/** What conmon and runc say about what they were asked to do. Pure. */
import { EngineError, type ErrorKind, internal } from '../base/errors.ts';

/** What runc was doing when it failed; part of Docker's texts. */
export type RuntimeOperation = 'create' | 'exec';

/** conmon's report: `{"data": pid}`, or a negative number with the runtime's complaint. */
export function parseSyncReport(
  report: string,
  complaint: string,
  operation: RuntimeOperation = 'create',
): number {
  let parsed: { data?: number; message?: string };
  try {
    parsed = JSON.parse(report);
  } catch {
    throw internal('conmon-failed', `conmon gave no report: ${complaint.trim() || 'it ended silently'}`);
  }
  if (typeof parsed.data === 'number' && parsed.data > 0) return parsed.data;
  throw runtimeError(lastMessage(parsed.message ?? complaint), operation);
}

/** The text of the last of runc's log lines, `time="…" level=error msg="…"`. */
export function lastMessage(output: string): string {
  const messages = [...output.matchAll(/msg=("(?:[^"\\]|\\.)*")/g)].map(
    (match) => JSON.parse(match[1]!) as string,
  );
  return messages.at(-1) ?? output.trim();
}

/** By these words Docker's clients tell a missing program (exit 127) from one that may not run (126). */
export function runtimeError(message: string, operation: RuntimeOperation = 'create'): EngineError {
  const isUserMistake =
    /executable file not found|no such file or directory|permission denied|(is|not) a directory|must be an absolute path/.test(
      message,
    ) && !/error mounting/.test(message);
  const kind: ErrorKind = isUserMistake ? 'invalid' : 'internal';
  return new EngineError(kind, `OCI runtime ${operation} failed: ${message}: unknown`, {
    code: 'runtime-failed',
  });
}
