/** Answers of one JSON object a line, whose first line decides the status: a failure before it has a status of its own. */
import { messageOf } from '@seaway/engine';
import type { FastifyReply } from 'fastify';
import { clientSignal, openStream } from './hijack.ts';

/**
 * Runs work that writes lines. What it throws after the first line is a line too, as clients expect; before that it is
 * thrown on. The signal ends the work when the client goes.
 */
export async function sendJsonLines(
  reply: FastifyReply,
  work: (write: (message: object) => void, signal: AbortSignal) => Promise<void>,
): Promise<FastifyReply | undefined> {
  const signal = clientSignal(reply);
  let out: FastifyReply['raw'] | undefined;
  const write = (message: object): void => {
    out ??= openStream(reply, 200, 'application/json');
    out.write(jsonLine(message));
  };
  try {
    await work(write, signal);
  } catch (error) {
    if (!out && !signal.aborted) throw error;
    const message = messageOf(error);
    if (!signal.aborted) write({ errorDetail: { message }, error: message });
  }
  if (!out) return reply.type('application/json').send('');
  out.end();
  return undefined;
}

export function jsonLine(message: object): string {
  return `${JSON.stringify(message)}\n`;
}
