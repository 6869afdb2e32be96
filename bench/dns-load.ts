/**
 * Asks a resolver for one name again and again, with a fixed number of queries in flight, and prints what came of it as
 * JSON: `dns-load.ts ADDRESS NAME IN_FLIGHT MILLISECONDS`. Runs in the namespace that it is started in, as a loop over
 * foreign calls, so that the resolver is the slower of the two.
 */
import { DatagramBatch, Epoll, openInetSocket, sendDatagram, setReceiveBuffer } from '@seaway/linux/sockets';

/** What it prints. */
export interface LoadResult {
  readonly perSecond: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Queries whose answer did not come. */
  readonly lost: number;
  /** Records in the first answer. */
  readonly answers: number;
}

/** An answer that takes longer is not waited for. */
const LOST_AFTER_MS = 1000;
const MAX_SAMPLES = 2_000_000;

const [address = '', name = '', inFlightText = '', millisecondsText = ''] = process.argv.slice(2);
const inFlight = Number(inFlightText);
const milliseconds = Number(millisecondsText);

const query = encodeQuery(name);
const server = Uint8Array.of(2, 0, 0, 53, ...address.split('.').map(Number), 0, 0, 0, 0, 0, 0, 0, 0);
const { fd } = openInetSocket('udp', 'ipv4');
setReceiveBuffer(fd, 1 << 20);
const epoll = new Epoll();
epoll.add(fd, 1);
const batch = new DatagramBatch(Math.max(inFlight, 1), 4096, query.length);
const sentAt = new Float64Array(inFlight);
const samples = new Float64Array(MAX_SAMPLES);
let count = 0;
let lost = 0;
let answers = 0;

// The first part warms both sides up and is thrown away.
run(milliseconds / 4);
count = 0;
lost = 0;
const startedAt = performance.now();
run(milliseconds);
const seconds = (performance.now() - startedAt) / 1000;
const sorted = samples.subarray(0, count).sort();
const microseconds = (part: number) => (sorted[Math.floor(part * (count - 1))] ?? Number.NaN) * 1000;
const result: LoadResult = {
  perSecond: count / seconds,
  p50: microseconds(0.5),
  p99: microseconds(0.99),
  lost,
  answers,
};
process.stdout.write(`${JSON.stringify(result)}\n`);

/** Each query has the number of its place as its id; an answer frees the place for the next query. */
function run(duration: number): void {
  const end = performance.now() + duration;
  for (let place = 0; place < inFlight; place++) ask(place);
  let open = inFlight;
  while (open > 0) {
    if (epoll.wait(LOST_AFTER_MS) === 0) {
      lost += open;
      return;
    }
    const received = batch.receive(fd);
    const now = performance.now();
    for (let index = 0; index < received; index++) {
      const reply = batch.data(index);
      const place = (reply[0]! << 8) | reply[1]!;
      if (count < MAX_SAMPLES) samples[count++] = now - sentAt[place]!;
      answers ||= (reply[6]! << 8) | reply[7]!;
      if (now >= end) {
        open--;
        continue;
      }
      const next = batch.replySlot();
      next.set(query);
      next[0] = place >> 8;
      next[1] = place & 0xff;
      sentAt[place] = now;
      batch.addReply(index, query.length);
    }
    batch.sendReplies(fd);
  }
}

function ask(place: number): void {
  const message = Uint8Array.from(query);
  message[0] = place >> 8;
  message[1] = place & 0xff;
  sentAt[place] = performance.now();
  sendDatagram(fd, message, server);
}

/** A query for an A record (RFC 1035 section 4). */
function encodeQuery(name: string): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Uint8Array.of(0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1);
}
