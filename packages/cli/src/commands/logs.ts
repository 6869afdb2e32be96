/** `seaway logs`: print what a container has written, and with `-f` what it goes on writing. */
import { segment } from '../client/http-client.ts';
import { copyOutput } from '../client/output.ts';
import type { ContainerDetails } from '../client/types.ts';
import { parseTimestamp } from '../format/duration.ts';
import { addFlag, addValue } from './flags.ts';
import type { CommandSpec } from './spec.ts';

export interface LogsOptions {
  follow?: boolean;
  since?: string;
  tail?: string;
  timestamps?: boolean;
  until?: string;
}

export const spec: CommandSpec<LogsOptions> = {
  name: 'logs',
  usage: '[OPTIONS] CONTAINER',
  summary: 'Show what a container has written to stdout and stderr',
  configure(command) {
    command.argument('<CONTAINER>', 'container whose output to show');
    addFlag(command, '-f, --follow', 'go on until the container ends');
    addTime(command, '--since <TIME>', 'leave out what is older: a date, or a span such as 10m');
    addValue(command, '-n, --tail <LINES>', 'only this many lines from the end', parseTail);
    addFlag(command, '-t, --timestamps', 'begin each line with its time');
    addTime(command, '--until <TIME>', 'leave out what is newer: a date, or a span such as 10m');
  },
  async run(context, [name], options) {
    const path = `/containers/${segment(name!)}`;
    const container = await context.client.json<ContainerDetails>('GET', `${path}/json`);
    const answer = await context.client.open('GET', `${path}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        follow: options.follow || undefined,
        since: options.since,
        tail: options.tail ?? 'all',
        timestamps: options.timestamps || undefined,
        until: options.until,
      },
    });
    await copyOutput(answer, !container.Config.Tty, context.terminal);
    return 0;
  },
};

function addTime(command: Parameters<typeof addValue>[0], flags: string, description: string): void {
  addValue(command, flags, description, (text) => parseTimestamp(text, Date.now()));
}

/** Reads a number of lines; a negative one means all, as in docker. */
function parseTail(text: string): string {
  if (text === 'all') return text;
  if (!/^-?\d+$/.test(text)) throw new Error('expected a number of lines or "all"');
  return text.startsWith('-') ? 'all' : text;
}
