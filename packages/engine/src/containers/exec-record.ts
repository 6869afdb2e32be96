/** Further processes in containers, as the engine knows them. They live in memory, like at Docker. Pure. */
import { EngineError, invalid } from '../base/errors.ts';
import type { ContainerId, ExecId } from '../base/ids.ts';

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface ExecRequest {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** `NAME=value` sets, `NAME` alone removes. */
  readonly env: readonly string[];
  /** Docker's `user[:group]`; empty: the container's. */
  readonly user: string;
  /** Empty: the container's. */
  readonly workingDir: string;
  readonly tty: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  /** With all capabilities that this machine can give, whatever the container has. */
  readonly privileged: boolean;
  /** As the client wrote them, for it to read again. */
  readonly detachKeys: string;
  /** The terminal's first size, where it has one. */
  readonly size?: TerminalSize;
}

export interface ExecRecord {
  readonly id: ExecId;
  readonly containerId: ContainerId;
  readonly request: ExecRequest;
  readonly status: 'created' | 'running' | 'ended';
  /** In the daemon's PID namespace; 0 when the process has not begun. */
  readonly pid: number;
  /** Once it ended; 126 and 127 when it could not begin. */
  readonly exitCode?: number;
  /** When it was created or ended, in milliseconds of a clock that only goes forward. */
  readonly since: number;
}

/** How long a process that has ended can still be asked about. */
const ENDED_MS = 5 * 60_000;
/** How long a process that was never started can still be. */
const CREATED_MS = 60 * 60_000;

export function isOutdated({ status, since }: ExecRecord, now: number): boolean {
  return status !== 'running' && now - since > (status === 'ended' ? ENDED_MS : CREATED_MS);
}

/** @throws invalid without a command */
export function checkExecRequest({ command }: ExecRequest): void {
  if (command.length === 0) throw invalid('no-exec-command', 'No exec command specified');
}

/** The command as events show it. */
export function commandText({ command }: ExecRequest): string {
  return command.join(' ');
}

/** By Docker's convention 127 is a missing program and 126 whatever else keeps the process from beginning. */
export function exitCodeOfFailure(error: unknown): number {
  const isMissing =
    error instanceof EngineError &&
    error.code === 'runtime-failed' &&
    /exec: ".*": (stat .*: )?(executable file not found|no such file or directory)/s.test(error.message);
  return isMissing ? 127 : 126;
}
