/** Creates a container for `run` and `create`. */
import { isIP } from 'node:net';
import { DaemonError } from '../client/daemon-error.ts';
import type { CreateAnswer, CreateRequest } from '../client/types.ts';
import type { Context } from '../context.ts';
import { pullImage } from './pull.ts';

/** Sends the request, pulls the image where it is missing, shows the daemon's warnings, and resolves with the new container's id. */
export async function createContainer(
  context: Context,
  name: string | undefined,
  body: CreateRequest,
): Promise<string> {
  for (const address of body.HostConfig.Dns) {
    if (isLoopback(address)) {
      context.complain(
        `warning: DNS server ${address} is a loopback address, which a container cannot reach`,
      );
    }
  }
  const create = () =>
    context.client.json<CreateAnswer>('POST', '/containers/create', { query: { name }, body });
  const answer = await create().catch(async (error) => {
    if (!(error instanceof DaemonError && error.status === 404 && /No such image/.test(error.message)))
      throw error;
    context.complain(`image ${body.Image} is not here: pulling it`);
    await pullImage(context, body.Image, {}, (line) => void context.terminal.stderr.write(line));
    return create();
  });
  for (const warning of answer.Warnings ?? []) context.complain(`warning: ${warning}`);
  return answer.Id;
}

function isLoopback(address: string): boolean {
  return isIP(address) === 4 ? address.startsWith('127.') : address === '::1';
}
