/** The thread's side of KernelThread: imports the module named by workerData and calls what it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadAnswer, ThreadCall, ThreadOperations } from './kernel-thread.ts';
import { encodeError } from './posted-error.ts';

const port = parentPort!;

/** One call at a time: each waits for the one before. A module that cannot be imported fails every call. */
let previous: Promise<unknown> = import(workerData as string);
const operations = previous as Promise<ThreadOperations>;
operations.catch(() => {});

port.on('message', (call: ThreadCall | null) => {
  previous = previous.then(
    () => handle(call),
    () => handle(call),
  );
});

async function handle(call: ThreadCall | null): Promise<void> {
  if (call === null) {
    port.close();
    return;
  }
  port.postMessage(await answer(call));
}

async function answer({ id, name, args }: ThreadCall): Promise<ThreadAnswer> {
  try {
    const operation = (await operations)[name];
    if (typeof operation !== 'function') throw new TypeError(`the module exports no function ${name}`);
    const result = await operation(...args);
    return { id, result };
  } catch (error) {
    return { id, error: encodeError(error) };
  }
}
