/**
 * New TCP connections, one after the other: `connection-load.ts serve PORT` takes connections and ends them at once;
 * `connection-load.ts connect ADDRESS PORT MILLISECONDS` makes them, as many as it can in that time, and prints how many
 * there were in a second. Each ends by a reset, so that none lingers. Foreign calls, so that the network is the slower.
 */
import { encodeInetAddress } from '../packages/linux/src/inet-socket.ts';
import * as libc from '../packages/linux/src/libc.ts';

/** What `connect` prints, as JSON. */
export interface ConnectionLoad {
  readonly perSecond: number;
}

/** No run leaves more entries than this behind in the kernel's table of connections. */
const MAX_CONNECTIONS = 30_000;

const SO_LINGER = 13;
/** struct linger: on, for no time at all; close(2) then sends a reset. */
const noLinger = new Uint8Array(new Int32Array([1, 0]).buffer);

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'serve') serve(Number(rest[0]));
else console.log(JSON.stringify(connectFor(rest[0]!, Number(rest[1]), Number(rest[2]))));

function serve(port: number): void {
  const listener = libc.socket(libc.AF_INET, libc.SOCK_STREAM);
  libc.setsockopt(listener, libc.SOL_SOCKET, libc.SO_REUSEADDR, 1);
  libc.bind(listener, encodeInetAddress('0.0.0.0', port));
  libc.listen(listener, 1024);
  console.log('listening');
  for (;;) {
    const fd = libc.accept(listener);
    libc.setsockoptBytes(fd, libc.SOL_SOCKET, SO_LINGER, noLinger);
    libc.close(fd);
  }
}

function connectFor(address: string, port: number, milliseconds: number): ConnectionLoad {
  const sockaddr = encodeInetAddress(address, port);
  const byte = new Uint8Array(1);
  let connections = 0;
  let startedAt = performance.now();
  const run = (until: number) => {
    while (performance.now() < until && connections < MAX_CONNECTIONS) {
      connectOnce(sockaddr, byte);
      connections++;
    }
  };
  run(startedAt + milliseconds / 4);
  // That was to warm up.
  connections = 0;
  startedAt = performance.now();
  run(startedAt + milliseconds);
  return { perSecond: (connections * 1000) / (performance.now() - startedAt) };
}

function connectOnce(sockaddr: Uint8Array, byte: Uint8Array): void {
  const fd = libc.socket(libc.AF_INET, libc.SOCK_STREAM);
  try {
    libc.connect(fd, sockaddr);
    libc.recv(fd, byte);
  } catch (error) {
    // The reset may be quicker than the wait for it.
    if (!(error instanceof Error && 'code' in error && error.code === 'ECONNRESET')) throw error;
  } finally {
    libc.close(fd);
  }
}
