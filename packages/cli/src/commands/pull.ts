/** `seaway pull`: bring an image from a registry. */
import { readProgress } from '../client/json-lines.ts';
import { registryHeaders } from '../client/registry-auth.ts';
import type { ProgressMessage } from '../client/types.ts';
import type { Context } from '../context.ts';
import { addFlag } from './flags.ts';
import type { CommandSpec } from './spec.ts';
import { splitReference } from './tag.ts';

export interface PullOptions {
  allTags?: boolean;
  platform?: string;
  quiet?: boolean;
}

export const spec: CommandSpec<PullOptions> = {
  name: 'pull',
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Bring an image from a registry',
  configure(command) {
    command.argument('<NAME>', 'name of the image; without tag or digest its tag is "latest"');
    addFlag(command, '-a, --all-tags', 'all tags of the repository');
    command.option('--platform <PLATFORM>', 'OS[/ARCHITECTURE[/VARIANT]] of the image');
    addFlag(command, '-q, --quiet', 'print only the name');
  },
  async run(context, [name], options) {
    const print = options.quiet ? () => {} : (text: string) => context.print(text);
    await pullImage(context, name!, options, print);
    if (options.quiet) context.print(`${name}\n`);
    return 0;
  },
};

/** Pulls, and gives `print` a line for each step. */
export async function pullImage(
  context: Context,
  name: string,
  options: PullOptions,
  print: (text: string) => void,
): Promise<void> {
  const { repo, tag } = name.includes('@') ? { repo: name, tag: undefined } : splitReference(name);
  const answer = await context.client.open('POST', '/images/create', {
    query: { fromImage: repo, tag: options.allTags ? undefined : tag, platform: options.platform },
    headers: await registryHeaders(context.env, name),
  });
  for await (const message of readProgress(answer)) print(formatStep(message));
}

/** A step as a line; how many bytes have come so far is for terminals that can overwrite it, and left out. */
export function formatStep({ status, id, progressDetail }: ProgressMessage): string {
  if (status === undefined || progressDetail?.current !== undefined) return '';
  return id === undefined ? `${status}\n` : `${id}: ${status}\n`;
}
