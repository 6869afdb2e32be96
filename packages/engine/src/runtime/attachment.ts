/**
 * A client's connection to a running container's input and output, through conmon's attach socket. Each message of
 * that socket is one byte telling the stream (2: stdout, 3: stderr; with a terminal always 2) and the data.
 */
import {
  closeFd,
  connectSeqpacket,
  isErrno,
  PollThread,
  sendMessage,
  shutdownWrite,
  type Watch,
} from '@seaway/linux';
import type { OutputHandlers, ProcessStreams } from './process-streams.ts';

/** conmon's own buffer size. */
const MAX_MESSAGE_BYTES = 32 * 1024;
const RETRY_DELAY_MS = 5;

let sharedThread: PollThread | undefined;

/** One thread waits on all attach sockets; it starts with the first and ends with the process. */
function pollThread(): PollThread {
  sharedThread ??= PollThread.start();
  return sharedThread;
}

export async function closeAttachments(): Promise<void> {
  await sharedThread?.close();
  sharedThread = undefined;
}

export class Attachment implements ProcessStreams {
  readonly #fd: number;
  readonly #watch: Watch;
  #closed = false;
  #writes: Promise<void> = Promise.resolve();

  private constructor(fd: number, handlers: OutputHandlers) {
    this.#fd = fd;
    this.#watch = pollThread().watch(
      fd,
      {
        onMessage: (message) => handlers.onData(message[0] === 3 ? 'stderr' : 'stdout', message.subarray(1)),
        onEnd: () => {
          void this.close();
          handlers.onEnd();
        },
      },
      { maxMessageBytes: MAX_MESSAGE_BYTES + 1 },
    );
  }

  /** @param path conmon's `attach` socket; throws a LinuxError when nobody listens there */
  static open(path: string, handlers: OutputHandlers): Attachment {
    return new Attachment(connectSeqpacket(path), handlers);
  }

  write(data: Uint8Array): Promise<void> {
    this.#writes = this.#writes.then(() => this.#send(data));
    return this.#writes;
  }

  async #send(data: Uint8Array): Promise<void> {
    for (let offset = 0; offset < data.length && !this.#closed; offset += MAX_MESSAGE_BYTES) {
      const chunk = data.subarray(offset, offset + MAX_MESSAGE_BYTES);
      while (!this.#closed && !this.#trySend(chunk)) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
      }
    }
  }

  /** What nobody takes any more counts as sent: that the container is gone is told by `onEnd`. */
  #trySend(chunk: Uint8Array): boolean {
    try {
      return sendMessage(this.#fd, chunk);
    } catch (error) {
      if (isErrno(error, 'EPIPE', 'ECONNRESET', 'ENOTCONN')) return true;
      throw error;
    }
  }

  endInput(): Promise<void> {
    this.#writes = this.#writes.then(() => {
      if (!this.#closed) shutdownWrite(this.#fd);
    });
    return this.#writes;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#watch.close();
    closeFd(this.#fd);
  }
}
