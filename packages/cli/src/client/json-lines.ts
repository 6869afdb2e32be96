/** Progress answers of image import, load and pull: JSON objects one after another, newline separated. */
import type { Readable } from 'node:stream';
import { explainBrokenStream } from './daemon-error.ts';
import type { ProgressMessage } from './types.ts';

/**
 * Yields the messages of a progress stream as they come.
 * @throws Error with the engine's sentence when the stream reports one: the status was sent as 200 before
 * anything could fail. ConnectionError when the stream breaks off.
 */
export async function* readProgress(source: Readable): AsyncGenerator<ProgressMessage> {
  let pending = '';
  source.setEncoding('utf8');
  try {
    for await (const chunk of source as AsyncIterable<string>) {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop()!;
      for (const line of lines) yield* parseLine(line);
    }
  } catch (error) {
    throw explainBrokenStream(error);
  }
  yield* parseLine(pending);
}

function* parseLine(line: string): Generator<ProgressMessage> {
  if (line.trim() === '') return;
  const message = JSON.parse(line) as ProgressMessage;
  const failure = message.errorDetail?.message ?? message.error;
  if (failure !== undefined) throw new Error(failure);
  yield message;
}
