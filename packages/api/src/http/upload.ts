/** Request bodies that are read as they come. */
import type { IncomingMessage } from 'node:http';

/**
 * The body as bytes. Giving it up early must leave the connection open, or the client would see that break off
 * instead of our answer.
 */
export function uploadOf(request: IncomingMessage): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false });
}
