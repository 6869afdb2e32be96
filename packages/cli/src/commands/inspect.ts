/** `seaway inspect`: everything about containers, images, networks or volumes. */
import { CliError } from '../cli-error.ts';
import { DaemonError } from '../client/daemon-error.ts';
import { imagePath, segment } from '../client/http-client.ts';
import type { Context } from '../context.ts';
import { addValue } from './flags.ts';
import { inspectObjects } from './inspect-objects.ts';
import type { CommandSpec } from './spec.ts';

/** How to ask for each type of object, in the order in which an untyped name is looked up. */
const paths = {
  container: (name: string) => `/containers/${segment(name)}/json`,
  image: (name: string) => `/images/${imagePath(name)}/json`,
  network: (name: string) => `/networks/${segment(name)}`,
  volume: (name: string) => `/volumes/${segment(name)}`,
} as const;

type ObjectType = keyof typeof paths;

export interface InspectOptions {
  format?: string;
  type?: ObjectType;
}

export const spec: CommandSpec<InspectOptions> = {
  name: 'inspect',
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Show everything about containers, images, networks or volumes',
  configure(command) {
    command.argument('<NAME...>', 'names or ids');
    command.option('-f, --format <FORMAT>', 'json, or a template such as {{.State.Pid}}');
    addValue(command, '--type <TYPE>', 'container, image, network or volume only', parseType);
  },
  run(context, names, { format, type }) {
    const types = type === undefined ? (Object.keys(paths) as ObjectType[]) : [type];
    return inspectObjects(context, names, format, (name) => findObject(context, name, types));
  },
};

/** The first object of this name. An error other than "not found" ends the search: it is what the user must know. */
async function findObject(context: Context, name: string, types: readonly ObjectType[]): Promise<unknown> {
  for (const type of types) {
    try {
      return await context.client.json<unknown>('GET', paths[type](name));
    } catch (error) {
      if (!(error instanceof DaemonError) || error.status !== 404) throw error;
    }
  }
  throw new CliError(`No such ${types.length === 1 ? types[0] : 'object'}: ${name}`);
}

function parseType(text: string): ObjectType {
  if (Object.hasOwn(paths, text)) return text as ObjectType;
  throw new Error('expected container, image, network or volume');
}
