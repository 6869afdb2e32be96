/** Creates a container for `run` and `create`. */
import { isIP } from 'node:net';
import type { CreateAnswer, CreateRequest } from '../client/types.ts';
import type { Context } from '../context.ts';

/** Sends the request, shows the daemon's warnings, and resolves with the new container's id. */
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
  const answer = await context.client.json<CreateAnswer>('POST', '/containers/create', {
    query: { name },
    body,
  });
  for (const warning of answer.Warnings ?? []) context.complain(`warning: ${warning}`);
  return answer.Id;
}

function isLoopback(address: string): boolean {
  return isIP(address) === 4 ? address.startsWith('127.') : address === '::1';
}
