/** `seaway start`: start containers that exist; with `-a` or `-i`, one of them in the foreground. */
import { CliError } from '../cli-error.ts';
import { runInForeground } from '../client/foreground.ts';
import { segment } from '../client/http-client.ts';
import type { ContainerDetails } from '../client/types.ts';
import type { Context } from '../context.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';
import { forEachTarget } from './targets.ts';

export interface StartOptions {
  attach?: boolean;
  interactive?: boolean;
}

export const spec: CommandSpec<StartOptions> = {
  name: 'start',
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start containers that have been created or stopped',
  configure(command) {
    command.argument('<CONTAINER...>', 'containers to start');
    addFlag(command, '-a, --attach', 'attach to its output and pass signals on');
    addFlag(command, '-i, --interactive', "attach the container's stdin");
  },
  async run(context, args, options) {
    if (options.attach === true || options.interactive === true) return startAttached(context, args, options);
    return forEachTarget(context, args, async (name) => {
      await context.client.text('POST', `/containers/${segment(name)}/start`);
      return name;
    });
  },
};

async function startAttached(
  context: Context,
  args: readonly string[],
  options: StartOptions,
): Promise<number> {
  if (args.length > 1) throw new CliError('you cannot start and attach multiple containers at once');
  const container = await context.client.json<ContainerDetails>(
    'GET',
    `/containers/${segment(args[0]!)}/json`,
  );
  return runInForeground(context, container.Id, {
    attachStdin: options.interactive === true && container.Config.OpenStdin,
    attachStdout: true,
    attachStderr: true,
    tty: container.Config.Tty,
    proxySignals: true,
    autoRemove: container.HostConfig.AutoRemove,
  });
}
