/** A container in the foreground: its output is ours, our input and signals are its, its exit code is ours. */
import { CliError, exitCodes } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { ConnectionError } from './daemon-error.ts';
import { DetachKeys } from './detach-keys.ts';
import { type Client, segment, type UpgradedConnection } from './http-client.ts';
import { copyOutput } from './output.ts';
import type { WaitAnswer } from './types.ts';

export interface ForegroundOptions {
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  /** The container has a terminal: its output is not framed. */
  readonly tty: boolean;
  /** Pass the signals we get on to the container. */
  readonly proxySignals: boolean;
  /** The container removes itself when it has ended. */
  readonly autoRemove: boolean;
}

/**
 * Starts a created container and stays with it to the end; resolves with its exit code. The order matters:
 * attach and wait are in place before the start, so that neither the first output nor a quick end is missed.
 * @throws DaemonError from attach or start, ConnectionError when the daemon goes away.
 */
export async function runInForeground(
  context: Context,
  id: string,
  options: ForegroundOptions,
): Promise<number> {
  const { client } = context;
  await using cleanUp = new AsyncDisposableStack();
  const connection = await attach(client, id, options);
  cleanUp.defer(() => void connection.socket.destroy());
  const condition = options.autoRemove ? 'removed' : 'next-exit';
  const exit = await client.open('POST', `/containers/${segment(id)}/wait`, { query: { condition } });
  cleanUp.defer(() => void exit.destroy());
  // Copying starts now: what fails below must not leave a rejection that nobody handles.
  const output = copyAttached(connection, options.tty, context);
  output.catch(() => {});

  const started = client.text('POST', `/containers/${segment(id)}/start`);
  if (options.proxySignals) cleanUp.defer(proxySignals(context, id, started));
  await started;
  if (options.tty) cleanUp.defer(followSize(context, `/containers/${segment(id)}/resize`));
  const detached = options.attachStdin ? sendInput(context, connection, options.tty, cleanUp) : never;

  const ended = await Promise.race([output.then(() => 'ended' as const), detached]);
  if (ended === 'detached') return 0;
  // Awaited here: on the way out the answer is dropped.
  return await readExitCode(exit);
}

const never = new Promise<never>(() => {});

function attach(client: Client, id: string, options: ForegroundOptions): Promise<UpgradedConnection> {
  return client.upgrade(`/containers/${segment(id)}/attach`, {
    query: {
      stream: true,
      stdin: options.attachStdin || undefined,
      stdout: options.attachStdout || undefined,
      stderr: options.attachStderr || undefined,
    },
  });
}

/**
 * Copies the container's output. An engine may close the connection with input unread, which looks like a broken
 * one; whether the daemon is still there shows in the answer to wait.
 */
export async function copyAttached(
  connection: UpgradedConnection,
  tty: boolean,
  { terminal }: Context,
): Promise<void> {
  try {
    await copyOutput(connection.socket, connection.multiplexed ?? !tty, terminal);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
  }
}

/** Passes signals on, those that come early as soon as the container has started. Returns how to stop. */
function proxySignals(context: Context, id: string, started: Promise<unknown>): () => void {
  return context.terminal.onSignal((signal) => {
    started
      .then(() => context.client.text('POST', `/containers/${segment(id)}/kill`, { query: { signal } }))
      // The container has ended in the meantime, or never started: then there is nobody to tell.
      .catch(() => {});
  });
}

/** Tells the terminal behind `path` the size of ours, now and at every change. Returns how to stop. */
export function followSize(context: Context, path: string): () => void {
  const send = () => {
    const size = context.terminal.size();
    if (size === undefined || size.rows === 0 || size.columns === 0) return;
    context.client
      .text('POST', path, { query: { h: size.rows, w: size.columns } })
      // A process that has already ended has no size; the next change tries again.
      .catch(() => {});
  };
  send();
  return context.terminal.onResize(send);
}

/**
 * Sends our input to the container and closes its input when ours ends. Resolves only when the user types the
 * keys that detach.
 */
export function sendInput(
  context: Context,
  { socket }: UpgradedConnection,
  tty: boolean,
  cleanUp: AsyncDisposableStack,
): Promise<'detached'> {
  const { stdin, isInteractive, enterRawMode } = context.terminal;
  const { promise, resolve } = Promise.withResolvers<'detached'>();
  if (tty && isInteractive) cleanUp.defer(enterRawMode());
  const keys = tty ? new DetachKeys() : undefined;
  const onData = (chunk: Buffer) => {
    const { data, detached } = keys?.scan(chunk) ?? { data: chunk, detached: false };
    if (detached) return resolve('detached');
    if (socket.destroyed || socket.writableEnded || data.length === 0) return;
    if (!socket.write(data)) {
      stdin.pause();
      socket.once('drain', () => stdin.resume());
    }
  };
  const onEnd = () => void socket.end();
  stdin.on('data', onData).on('end', onEnd);
  cleanUp.defer(() => {
    stdin.off('data', onData).off('end', onEnd).pause();
  });
  return promise;
}

async function readExitCode(exit: AsyncIterable<Buffer>): Promise<number> {
  let text = '';
  try {
    for await (const chunk of exit) text += chunk.toString();
    const answer = JSON.parse(text) as WaitAnswer;
    if (answer.Error?.Message) throw new CliError(answer.Error.Message, { exitCode: exitCodes.daemon });
    return answer.StatusCode;
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError('the connection to the daemon was lost while waiting for the container', {
      exitCode: exitCodes.daemon,
      cause,
    });
  }
}
