/** Copies a container's output to our own streams. */
import type { Readable, Writable } from 'node:stream';
import { explainBrokenStream } from './daemon-error.ts';
import { FrameDecoder } from './frames.ts';

/** Where a container's output goes. */
export interface OutputStreams {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/**
 * Copies until the source ends. With `framed`, stdout and stderr are told apart; without, everything is stdout.
 * @throws ConnectionError when the source breaks off, Error when it ends in the middle of a frame.
 */
export async function copyOutput(source: Readable, framed: boolean, to: OutputStreams): Promise<void> {
  const decoder = new FrameDecoder();
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (!framed) {
        await write(to.stdout, chunk);
        continue;
      }
      for (const piece of decoder.push(chunk)) {
        await write(piece.stream === 'stderr' ? to.stderr : to.stdout, piece.data);
      }
    }
  } catch (error) {
    throw explainBrokenStream(error);
  }
  if (decoder.isIncomplete) throw new Error('the daemon closed the connection in the middle of the output');
}

/** Writes and waits while the receiver is slower than the container. */
async function write(stream: Writable, data: Buffer): Promise<void> {
  if (stream.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  // The callback also comes when the stream is destroyed, where "drain" never would.
  if (!stream.write(data, () => resolve())) await promise;
}
