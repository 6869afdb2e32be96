/** The thread's side of PollThread: waits in poll(2), reads what is ready, posts it. It has no event loop of its own. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { isErrno, LinuxError } from './errno.ts';
import * as libc from './libc.ts';
import {
  MAX_UNHANDLED_BYTES,
  PAUSED,
  type PollCommand,
  type PollReport,
  UNHANDLED,
} from './poll-thread-protocol.ts';
import { encodeError } from './posted-error.ts';

const port = parentPort!;
const eventFd = workerData as number;

interface Watched {
  readonly id: number;
  readonly fd: number;
  readonly maxMessageBytes: number;
  readonly counters: Int32Array<SharedArrayBuffer>;
  /** recv(2) for sockets, read(2) for the rest; learnt from the first ENOTSOCK. */
  isSocket: boolean;
  ended: boolean;
}

const POLLFD_BYTES = 8;
/** At most so many messages of one descriptor in a row, so that a busy one does not starve the others. */
const MESSAGES_PER_ROUND = 32;

const EMSGSIZE = 90;

const watches = new Map<number, Watched>();
let pollSet = new DataView(new ArrayBuffer(64 * POLLFD_BYTES));
let buffer = new Uint8Array(64 * 1024);
const drain = new Uint8Array(8);

let reports: PollReport[] = [];
let transfers: ArrayBuffer[] = [];

for (let running = true; running; ) {
  const polled = fillPollSet();
  libc.poll(bytesOf(pollSet), polled.length + 1, -1);
  if (revents(0) !== 0) {
    libc.read(eventFd, drain);
    running = obey();
  }
  polled.forEach((watched, position) => {
    const ready = revents(position + 1);
    if (ready !== 0 && watches.get(watched.id) === watched) readAll(watched);
  });
  flush();
}
port.close();

/** Slot 0 is the eventfd; then the descriptors that are not paused. Returns their watches in that order. */
function fillPollSet(): Watched[] {
  const active = [...watches.values()].filter((watched) => !watched.ended && !isPaused(watched));
  const needed = (active.length + 1) * POLLFD_BYTES;
  if (needed > pollSet.byteLength) pollSet = new DataView(new ArrayBuffer(needed * 2));
  setSlot(0, eventFd);
  active.forEach(({ fd }, position) => {
    setSlot(position + 1, fd);
  });
  return active;
}

function setSlot(slot: number, fd: number): void {
  const at = slot * POLLFD_BYTES;
  pollSet.setInt32(at, fd, true);
  pollSet.setUint16(at + 4, libc.POLLIN, true);
  pollSet.setUint16(at + 6, 0, true);
}

function revents(slot: number): number {
  return pollSet.getUint16(slot * POLLFD_BYTES + 6, true);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** The main thread clears PAUSED when it has caught up. Looking at UNHANDLED again closes the race with it. */
function isPaused({ counters }: Watched): boolean {
  if (Atomics.load(counters, UNHANDLED) < MAX_UNHANDLED_BYTES) return false;
  Atomics.store(counters, PAUSED, 1);
  if (Atomics.load(counters, UNHANDLED) > MAX_UNHANDLED_BYTES / 2) return true;
  Atomics.store(counters, PAUSED, 0);
  return false;
}

/** Carries out the commands that have been posted; false when told to stop. */
function obey(): boolean {
  for (let entry = receiveMessageOnPort(port); entry !== undefined; entry = receiveMessageOnPort(port)) {
    const command = entry.message as PollCommand;
    if (command.kind === 'stop') return false;
    if (command.kind === 'watch') watches.set(command.id, { ...command, isSocket: true, ended: false });
    else {
      watches.delete(command.id);
      reports.push({ kind: 'unwatched', id: command.id });
    }
  }
  return true;
}

/** Reads the messages that wait on a descriptor, a limited number in a row. */
function readAll(watched: Watched): void {
  if (buffer.length < watched.maxMessageBytes) buffer = new Uint8Array(watched.maxMessageBytes);
  try {
    for (let count = 0; count < MESSAGES_PER_ROUND && !watched.ended && !isPaused(watched); count += 1) {
      if (!readOne(watched)) return;
    }
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return;
    if (isErrno(error, 'ENOBUFS')) reports.push({ kind: 'overrun', id: watched.id });
    else if (isErrno(error, 'EIO') && !watched.isSocket)
      end(watched); // a terminal whose other side has closed
    else end(watched, error);
  }
}

/** Reads one message; false when there is nothing to go on with in this round. Throws LinuxError. */
function readOne(watched: Watched): boolean {
  const length = watched.isSocket ? receive(watched) : libc.read(watched.fd, buffer);
  if (length > watched.maxMessageBytes && watched.isSocket) {
    throw new LinuxError(EMSGSIZE, 'recv', `receive a message of ${length} bytes`);
  }
  if (length === 0 && (!watched.isSocket || isHungUp(watched.fd))) {
    end(watched);
    return false;
  }
  const data = buffer.slice(0, length);
  Atomics.add(watched.counters, UNHANDLED, length);
  reports.push({ kind: 'message', id: watched.id, data });
  transfers.push(data.buffer);
  // read(2) knows no "do not wait", so a second read of a pipe needs another poll first.
  return watched.isSocket;
}

function receive(watched: Watched): number {
  try {
    return libc.recv(watched.fd, buffer, libc.MSG_DONTWAIT | libc.MSG_TRUNC);
  } catch (error) {
    if (!isErrno(error, 'ENOTSOCK')) throw error;
    watched.isSocket = false;
    return libc.read(watched.fd, buffer);
  }
}

/** On a socket zero bytes are the end or an empty message; the end shows as a hang-up. */
function isHungUp(fd: number): boolean {
  const probe = new DataView(new ArrayBuffer(POLLFD_BYTES));
  probe.setInt32(0, fd, true);
  probe.setUint16(4, libc.POLLRDHUP, true);
  libc.poll(bytesOf(probe), 1, 0);
  return probe.getUint16(6, true) !== 0;
}

function end(watched: Watched, error?: unknown): void {
  watched.ended = true;
  reports.push({ kind: 'end', id: watched.id, error: error === undefined ? undefined : encodeError(error) });
}

function flush(): void {
  if (reports.length === 0) return;
  port.postMessage(reports, transfers);
  reports = [];
  transfers = [];
}
