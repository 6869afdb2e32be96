/** Execs in Docker's shapes. */
import { type ExecRecord, type ExecRequest, invalid, type TerminalSize } from '@seaway/engine';
import type { FromSchema } from 'json-schema-to-ts';

const text = { type: ['string', 'null'] } as const;
const flag = { type: ['boolean', 'null'] } as const;
const texts = { type: ['array', 'null'], items: { type: 'string' } } as const;
/** Rows and columns. */
const size = { type: ['array', 'null'], items: { type: 'integer', minimum: 0, maximum: 65535 } } as const;

/** Body of POST /containers/ID/exec. */
export const createExecBody = {
  type: 'object',
  properties: {
    AttachStdin: flag,
    AttachStdout: flag,
    AttachStderr: flag,
    ConsoleSize: size,
    DetachKeys: text,
    Tty: flag,
    Env: texts,
    // A list of words, or one word.
    Cmd: { type: ['array', 'string', 'null'], items: { type: 'string' } },
    Privileged: flag,
    User: text,
    WorkingDir: text,
  },
} as const;

/** Body of POST /exec/ID/start. */
export const startExecBody = {
  type: 'object',
  properties: { Detach: flag, Tty: flag, ConsoleSize: size },
} as const;

export type CreateExecBody = FromSchema<typeof createExecBody>;
export type StartExecBody = FromSchema<typeof startExecBody>;

export function fromDockerExec(body: CreateExecBody): ExecRequest {
  const size = fromConsoleSize(body.ConsoleSize);
  return {
    command: typeof body.Cmd === 'string' ? [body.Cmd] : (body.Cmd ?? []),
    env: body.Env ?? [],
    user: body.User ?? '',
    workingDir: body.WorkingDir ?? '',
    tty: body.Tty ?? false,
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    privileged: body.Privileged ?? false,
    detachKeys: body.DetachKeys ?? '',
    ...(size ? { size } : {}),
  };
}

/** Clients whose output is no terminal send zeros. @throws invalid for anything but two numbers */
export function fromConsoleSize(given: readonly number[] | null | undefined): TerminalSize | undefined {
  if (!given || given.length === 0) return undefined;
  const [rows = 0, columns = 0, ...more] = given;
  if (given.length < 2 || more.length > 0) {
    throw invalid(
      'invalid-size',
      `ConsoleSize is a number of rows and one of columns, not [${given.join(', ')}]`,
    );
  }
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

/** GET /exec/ID/json. */
export function toDockerExec({ id, containerId, status, pid, exitCode, request }: ExecRecord) {
  const [entrypoint = '', ...args] = request.command;
  return {
    ID: id,
    Running: status === 'running',
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: args,
      privileged: request.privileged,
      ...(request.user ? { user: request.user } : {}),
    },
    OpenStdin: request.attachStdin,
    OpenStderr: request.attachStderr,
    OpenStdout: request.attachStdout,
    CanRemove: false,
    ContainerID: containerId,
    DetachKeys: Buffer.from(request.detachKeys).toString('base64'),
    Pid: pid,
  };
}
