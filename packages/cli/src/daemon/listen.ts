/** The daemon's listening sockets. */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';

export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Parses `unix:///path` or `tcp://address:port`. @throws Error naming the text and what is allowed */
export function parseListenAddress(text: string): Address {
  const unix = /^unix:\/\/(\/.+)$/.exec(text);
  if (unix) return { kind: 'unix', path: unix[1]! };
  const tcp = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d{1,5})$/.exec(text);
  if (tcp && Number(tcp[2]) <= 65535)
    return { kind: 'tcp', host: tcp[1]!.replace(/[[\]]/g, ''), port: Number(tcp[2]) };
  throw new Error(`--host ${text}: it should be unix:///PATH or tcp://ADDRESS:PORT`);
}

/**
 * Starts listening. A unix socket gets mode 0660; one that a dead daemon left is replaced.
 * @throws Error when another process listens there
 */
export async function listen(server: Server, address: Address): Promise<void> {
  if (address.kind === 'tcp') {
    await listening(server, { host: address.host, port: address.port });
    return;
  }
  const { path } = address;
  if (existsSync(path)) {
    if (await isAnswered(path)) throw new Error(`another process listens on ${path}`);
    rmSync(path);
  }
  mkdirSync(dirname(path), { recursive: true });
  // Nobody may connect before the mode is right.
  const umask = process.umask(0o117);
  try {
    await listening(server, { path });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o660);
}

function listening(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
