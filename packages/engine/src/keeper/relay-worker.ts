/**
 * The keeper's relay thread: passes connections and datagrams of ports on, for what the kernel cannot translate. It never
 * returns to an event loop; commands arrive between two rounds.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { EventFlag } from '@seaway/linux';
import { RelayBudget } from './relay-budget.ts';
import { RelayLoop } from './relay-loop.ts';
import {
  CONNECTIONS,
  ENDING,
  type RelayCommand,
  type RelayReport,
  type RelayService,
  type RelayThreadData,
} from './relay-thread-protocol.ts';
import { TcpRelay } from './tcp-relay.ts';
import { UdpRelay } from './udp-relay.ts';

/** How often silent clients are looked for. */
const SWEEP_MS = 10_000;
/** How often it is looked whether a lack of descriptors is over. */
const RETRY_MS = 100;

const port = parentPort!;
const { wakeUp, shared } = workerData as RelayThreadData;
const flag = EventFlag.of(wakeUp);
const loop = new RelayLoop();
const budget = new RelayBudget(loop, (count) => Atomics.store(shared, CONNECTIONS, count));
const relays = new Map<number, TcpRelay | UdpRelay>();
let sweptAt = performance.now();
let retriedAt = 0;

loop.watch(wakeUp, loop.register({ onReady: obey }));
while (Atomics.load(shared, ENDING) === 0) {
  loop.turn(budget.isShort ? RETRY_MS : SWEEP_MS);
  const now = performance.now();
  if (now - retriedAt >= RETRY_MS) {
    retriedAt = now;
    budget.retry();
  }
  sweep(now);
}
port.close();

/** Carries out the commands that have been posted. */
function obey(): void {
  flag.lower();
  for (let entry = receiveMessageOnPort(port); entry !== undefined; entry = receiveMessageOnPort(port)) {
    const { n, start, move, stop, keepConnections } = entry.message as RelayCommand;
    for (const slot of stop) {
      relays.get(slot)?.stop(keepConnections);
      relays.delete(slot);
    }
    for (const { slot, target } of move) relays.get(slot)?.move(target);
    for (const service of start) begin(service);
    port.postMessage({ kind: 'done', n } satisfies RelayReport);
  }
}

function begin(service: RelayService): void {
  try {
    const relay =
      service.protocol === 'tcp' ? new TcpRelay(service, loop, budget) : new UdpRelay(service, loop);
    relays.set(service.slot, relay);
  } catch (error) {
    const { protocol, target } = service;
    const reason = error instanceof Error ? error.message : String(error);
    const message = 'connections of a port cannot be passed on';
    port.postMessage({
      kind: 'complaint',
      message,
      fields: { protocol, target, reason },
    } satisfies RelayReport);
  }
}

function sweep(now: number): void {
  if (now - sweptAt < SWEEP_MS) return;
  sweptAt = now;
  for (const relay of relays.values()) if (relay instanceof UdpRelay) relay.sweep(now);
}
