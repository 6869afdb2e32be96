/**
 * The keeper's UDP thread: waits for queries on all sandboxes' sockets and answers them at once, several per system
 * call. It never returns to an event loop; commands arrive between two rounds.
 */
import module from 'node:module';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { DatagramBatch, Epoll, EventFlag, LinuxError } from '@seaway/linux/sockets';
import { answerQuery, FORWARD, MAX_UDP_REPLY, newQuery, REFUSED, readQuery, writeEmpty } from './answer.ts';
import { MAX_HANDED_OVER } from './forwarder-limits.ts';
import { NameBook, type SandboxNames } from './names.ts';
import type { HandedOver, UdpCommand, UdpReport, UdpService, UdpThreadData } from './udp-thread-protocol.ts';

/** Datagrams per system call. */
const BATCH = 32;
/** No query is longer; what is cut is dropped. */
const MAX_QUERY_BYTES = 2048;

const WAKE_UP = 0;

interface Service extends UdpService {
  names: SandboxNames | undefined;
}

const port = parentPort!;
const { wakeUp, ending } = workerData as UdpThreadData;
const flag = EventFlag.of(wakeUp);
const epoll = new Epoll();
const batch = new DatagramBatch(BATCH, MAX_QUERY_BYTES, MAX_UDP_REPLY);
const book = new NameBook();
const services = new Map<number, Service>();
let handedOver: HandedOver[] = [];

epoll.add(wakeUp, WAKE_UP);
// The thread never ends in the way that makes Node write its cache.
module.flushCompileCache();
while (Atomics.load(ending, 0) === 0) {
  const ready = epoll.wait();
  for (let index = 0; index < ready; index++) {
    const id = epoll.id(index);
    const service = services.get(id);
    if (id === WAKE_UP) obey();
    else if (service !== undefined) serve(service);
  }
  if (handedOver.length > 0) {
    report({ kind: 'forward', queries: handedOver });
    handedOver = [];
  }
}
port.close();

function report(message: UdpReport): void {
  port.postMessage(message);
}

/** Carries out the commands that have been posted. */
function obey(): void {
  flag.lower();
  for (let entry = receiveMessageOnPort(port); entry !== undefined; entry = receiveMessageOnPort(port)) {
    const { n, change, start, stop } = entry.message as UdpCommand;
    for (const slot of stop) {
      const service = services.get(slot);
      if (service === undefined) continue;
      services.delete(slot);
      epoll.remove(service.fd);
    }
    book.apply(change);
    for (const service of start) services.set(service.slot, { ...service, names: undefined });
    const touched = new Set(change.sandboxes?.map(({ id }) => id));
    for (const service of services.values()) {
      if (touched.has(service.sandbox)) service.names = book.sandbox(service.sandbox);
    }
    for (const { slot, fd } of start) epoll.add(fd, slot);
    report({ kind: 'done', n });
  }
}

/** Answers what waits on a socket, a limited number in a row. */
function serve(service: Service): void {
  try {
    const count = batch.receive(service.fd);
    for (let index = 0; index < count; index++) {
      if (!batch.isCut(index)) answer(service, index);
    }
    batch.sendReplies(service.fd);
  } catch (error) {
    // An error that stays would be found again and again; the main thread opens the socket anew.
    services.delete(service.slot);
    if (!(error instanceof LinuxError && error.code === 'EBADF')) epoll.remove(service.fd);
    const reason = error instanceof Error ? error.message : String(error);
    report({ kind: 'failed', slot: service.slot, reason });
  }
}

function answer(service: Service, index: number): void {
  if (service.names === undefined) return;
  const packet = batch.data(index);
  const length = batch.length(index);
  const out = batch.replySlot();
  const written = answerQuery(packet, length, service.names, out, false);
  if (written > 0) batch.addReply(index, written);
  else if (written === FORWARD) handOver(service, index, packet, length, out);
}

/** Leaves a query to the main thread, or refuses it when too many are there already. */
function handOver(
  service: Service,
  index: number,
  packet: Uint8Array,
  length: number,
  out: Uint8Array,
): void {
  if (Atomics.load(service.handedOver, 0) >= MAX_HANDED_OVER) {
    const query = newQuery();
    if (readQuery(packet, length, query)) {
      batch.addReply(index, writeEmpty(packet, query, REFUSED, out));
    }
    return;
  }
  Atomics.add(service.handedOver, 0, 1);
  handedOver.push({
    slot: service.slot,
    packet: Uint8Array.from(packet.subarray(0, length)),
    sender: Uint8Array.from(batch.sender(index)),
  });
}
