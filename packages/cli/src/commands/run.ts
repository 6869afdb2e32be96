/** `seaway run`: create a container and start it, in the foreground or with `-d` in the background. */
import { CliError, exitCodes } from '../cli-error.ts';
import { runInForeground } from '../client/foreground.ts';
import { segment } from '../client/http-client.ts';
import type { CreateRequest } from '../client/types.ts';
import type { Context } from '../context.ts';
import { createContainer } from './create-container.ts';
import { addCreateOptions, buildCreateRequest, type CreateOptions } from './create-options.ts';
import type { Environment } from './env-options.ts';
import { withStartExitCodes } from './exit-code.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface RunOptions extends CreateOptions {
  detach?: boolean;
  sigProxy?: boolean;
}

export const spec: CommandSpec<RunOptions> = {
  name: 'run',
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a container and start it',
  takesCommand: true,
  configure(command) {
    addCreateOptions(command);
    addFlag(command, '-d, --detach', 'leave the container in the background and print its id');
    addFlag(command, '--sig-proxy', 'pass signals on to the container (default)');
  },
  async run(context, args, options) {
    const body = buildRunRequest(args, options, context.env);
    checkTerminal(context, body);
    return withStartExitCodes(async () => {
      const id = await createContainer(context, options.name, body);
      if (options.detach === true) {
        await context.client.text('POST', `/containers/${segment(id)}/start`);
        context.print(`${id}\n`);
        return 0;
      }
      return runInForeground(context, id, {
        attachStdin: body.AttachStdin,
        attachStdout: body.AttachStdout,
        attachStderr: body.AttachStderr,
        tty: body.Tty,
        proxySignals: options.sigProxy !== false,
        autoRemove: body.HostConfig.AutoRemove,
      });
    });
  },
};

/** The create request of a `run`: nothing stays attached with `-d`. @throws CliError for `-d` with `-a`. */
export function buildRunRequest(
  args: readonly string[],
  options: RunOptions,
  env: Environment,
): CreateRequest {
  const body = buildCreateRequest(args, options, env);
  if (options.detach !== true) return body;
  if (options.attach !== undefined) {
    throw new CliError('conflicting options: cannot specify both --attach and --detach', {
      exitCode: exitCodes.daemon,
    });
  }
  return { ...body, AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
}

function checkTerminal(context: Context, body: CreateRequest): void {
  if (body.Tty && body.AttachStdin && !context.terminal.isInteractive) {
    throw new CliError('cannot attach stdin to a container with a terminal: stdin is not a terminal');
  }
}
