/** `seaway tag`: give an image another name. */
import { imagePath } from '../client/http-client.ts';
import type { CommandSpec } from './spec.ts';

export const spec: CommandSpec = {
  name: 'tag',
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Give an image another name',
  configure(command) {
    command.argument('<SOURCE_IMAGE>', 'an image').argument('<TARGET_IMAGE>', 'its additional name');
  },
  async run(context, [source, target]) {
    const { repo, tag } = splitReference(target!);
    await context.client.text('POST', `/images/${imagePath(source!)}/tag`, { query: { repo, tag } });
    return 0;
  },
};

/** Splits `repo:tag`; a colon that a slash follows belongs to a registry's port. The tag defaults to `latest`. */
export function splitReference(reference: string): { repo: string; tag: string } {
  const colon = reference.lastIndexOf(':');
  if (colon < 0 || reference.includes('/', colon)) return { repo: reference, tag: 'latest' };
  return { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
