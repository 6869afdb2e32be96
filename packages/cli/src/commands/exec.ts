/** `seaway exec`: run a further process in a running container, in the foreground or with `-d` in the background. */
import { CliError } from '../cli-error.ts';
import { copyAttached, followSize, sendInput } from '../client/foreground.ts';
import { segment } from '../client/http-client.ts';
import type { CreateAnswer, ExecDetails, ExecRequest, ExecStart } from '../client/types.ts';
import type { Context } from '../context.ts';
import { checkEnv, type Environment, type EnvOptions, readEnv } from './env-options.ts';
import { addFlag, addList } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface ExecOptions extends EnvOptions {
  detach?: boolean;
  interactive?: boolean;
  privileged?: boolean;
  tty?: boolean;
  user?: string;
  workdir?: string;
}

export const spec: CommandSpec<ExecOptions> = {
  name: 'exec',
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Run a command in a running container',
  takesCommand: true,
  configure(command) {
    command.argument('<CONTAINER>', 'container to run in').argument('<COMMAND...>', 'command to run');
    addFlag(command, '-d, --detach', 'leave the command in the background');
    addList(command, '-e, --env <NAME=VALUE>', 'set an environment variable', checkEnv);
    addList(command, '--env-file <FILE>', 'set environment variables from a file');
    addFlag(command, '-i, --interactive', 'attach stdin');
    addFlag(command, '--privileged', 'give the command all capabilities');
    addFlag(command, '-t, --tty', 'give the command a terminal');
    command.option('-u, --user <USER[:GROUP]>', 'user name or id to run as');
    command.option('-w, --workdir <PATH>', 'working directory');
  },
  async run(context, args, options) {
    const [container = '', ...words] = args;
    const size = options.tty === true ? consoleSize(context) : undefined;
    const body = buildExecRequest(words, options, context.env, size);
    if (body.Tty && body.AttachStdin && !context.terminal.isInteractive) {
      throw new CliError('cannot attach stdin to a command with a terminal: stdin is not a terminal');
    }
    const { Id } = await context.client.json<CreateAnswer>('POST', `/containers/${segment(container)}/exec`, {
      body,
    });
    const start: ExecStart = { Detach: options.detach === true, Tty: body.Tty, ...size };
    if (!start.Detach) return runAttached(context, Id, body, start);
    await context.client.text('POST', `/exec/${segment(Id)}/start`, { body: start });
    return 0;
  },
};

/** The request that makes an exec: nothing is attached with `-d`. @throws CliError for a bad environment file */
export function buildExecRequest(
  words: readonly string[],
  options: ExecOptions,
  env: Environment,
  size: Pick<ExecRequest, 'ConsoleSize'> = {},
): ExecRequest {
  const isAttached = options.detach !== true;
  return {
    AttachStdin: isAttached && options.interactive === true,
    AttachStdout: isAttached,
    AttachStderr: isAttached,
    Tty: options.tty === true,
    Cmd: [...words],
    Env: readEnv(options, env),
    Privileged: options.privileged === true,
    User: options.user ?? '',
    WorkingDir: options.workdir ?? '',
    ...size,
  };
}

/** The size of our own terminal, for the other to begin with. */
function consoleSize({ terminal }: Context): Pick<ExecRequest, 'ConsoleSize'> | undefined {
  const size = terminal.size();
  return size && { ConsoleSize: [size.rows, size.columns] };
}

async function runAttached(
  context: Context,
  id: string,
  { AttachStdin, Tty }: ExecRequest,
  start: ExecStart,
): Promise<number> {
  await using cleanUp = new AsyncDisposableStack();
  const connection = await context.client.upgrade(`/exec/${segment(id)}/start`, { body: start });
  cleanUp.defer(() => void connection.socket.destroy());
  const output = copyAttached(connection, Tty, context);
  // What fails below must not leave a rejection that nobody handles.
  output.catch(() => {});
  // A size of ours that has changed since is told at the next change; the first one went along with the start.
  if (Tty) cleanUp.defer(followSize(context, `/exec/${segment(id)}/resize`));
  const detached = AttachStdin ? sendInput(context, connection, Tty, cleanUp) : new Promise<never>(() => {});
  if ((await Promise.race([output.then(() => 'ended' as const), detached])) === 'detached') return 0;
  const { ExitCode } = await context.client.json<ExecDetails>('GET', `/exec/${segment(id)}/json`);
  if (ExitCode === null) throw new CliError('the connection was lost before the command ended');
  return ExitCode;
}
