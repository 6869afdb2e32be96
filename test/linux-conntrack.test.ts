/** Tracked connections on the real kernel, in namespaces of this process's own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv4 } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import {
  type ConntrackSelection,
  deleteConntrack,
  LinuxError,
  listConntrack,
  Nftables,
  newAddress,
  RouteSocket,
  setLink,
} from '@seaway/linux';
import { deleteEach, openConntrack } from '../packages/linux/src/conntrack.ts';
import { cannotIsolate, isolate, type PrivateHost } from '../packages/linux/src/fixtures/private-host.ts';

/** Some addresses of the loopback device: programs talk to each other over them and the kernel tracks it. */
const addresses = {
  ipv4: { client: '10.9.0.1', other: '10.9.0.2', server: '10.9.0.3', published: '10.9.0.4' },
  ipv6: { client: 'fd09::1', other: 'fd09::2', server: 'fd09::3', published: 'fd09::4' },
} as const;

const PORT = 7000;
/** On `published` it is translated to PORT of `server`. */
const PUBLISHED_PORT = 7001;

/** Sends a datagram from an address and waits for the answer. */
async function ask(from: string, to: string, port: number): Promise<void> {
  const socket = createSocket(from.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, from);
  await once(socket, 'listening');
  socket.send('hello', port, to);
  await once(socket, 'message');
  socket.close();
}

/** Opens and closes a TCP connection from an address. */
async function call(from: string, to: string, port: number): Promise<void> {
  const socket = connect({ host: to, port, localAddress: from }).resume();
  socket.end('hello');
  await once(socket, 'close');
}

describe('tracked connections', { skip: cannotIsolate }, () => {
  let host: PrivateHost;
  const closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    host = isolate();
    using route = RouteSocket.open();
    route.execute([setLink({ name: 'lo' }, { up: true })]);
    const texts = Object.values(addresses).flatMap((family) => Object.values(family));
    route.execute(
      texts.map((address) =>
        newAddress({ index: 1, address, prefixLength: isIPv4(address) ? 24 : 64, noDad: true }),
      ),
    );
    using nftables = Nftables.open();
    nftables.run(`
      add table inet nat
      add chain inet nat out { type nat hook output priority -100; }
      add rule inet nat out ct state untracked accept
      add rule inet nat out ip daddr ${addresses.ipv4.published} meta l4proto { tcp, udp } th dport ${PUBLISHED_PORT} dnat ip to ${addresses.ipv4.server}:${PORT}
      add rule inet nat out ip6 daddr ${addresses.ipv6.published} meta l4proto { tcp, udp } th dport ${PUBLISHED_PORT} dnat ip6 to [${addresses.ipv6.server}]:${PORT}
    `);
    for (const { server } of Object.values(addresses)) {
      const udp = createSocket(server.includes(':') ? 'udp6' : 'udp4');
      udp.on('message', (data, { port, address }) => udp.send(data, port, address));
      udp.bind(PORT, server);
      await once(udp, 'listening');
      const tcp = createServer((socket) => socket.pipe(socket)).listen(PORT, server);
      await once(tcp, 'listening');
      closing.push(
        () => new Promise<void>((closed) => udp.close(closed)),
        () => new Promise((closed) => tcp.close(closed)),
      );
    }
  });

  after(async () => {
    for (const close of closing) await close();
    host?.[Symbol.dispose]();
  });

  const ways = {
    'at once': (selection: ConntrackSelection) => deleteConntrack(selection),
    'one by one': (selection: ConntrackSelection) => {
      using socket = openConntrack();
      deleteEach(socket, selection);
    },
  };

  for (const family of ['ipv4', 'ipv6'] as const) {
    const { client, other, server, published } = addresses[family];
    /** How many connections the kernel has, over TCP and UDP: direct, published, the other client's. */
    const counts = () =>
      (['tcp', 'udp'] as const).map((protocol) => [
        listConntrack({ family, protocol, originalSource: client, originalDestination: server }).length,
        listConntrack({ family, protocol, originalSource: client, originalDestination: published }).length,
        listConntrack({ family, protocol, originalSource: other }).length,
      ]);
    const forgetAll = () =>
      deleteConntrack([
        { family, originalSource: client },
        { family, originalSource: other },
      ]);
    const talk = async () => {
      for (const speak of [ask, call]) {
        await speak(client, server, PORT);
        await speak(client, published, PUBLISHED_PORT);
        await speak(other, server, PORT);
      }
    };

    describe(`of ${family}`, () => {
      test('are listed with both of their sides', async () => {
        forgetAll();
        await ask(client, published, PUBLISHED_PORT);
        const [entry, ...others] = listConntrack({ family, replySource: server });
        assert.deepEqual(others, []);
        assert.ok(entry);
        const { sourcePort } = entry.original;
        assert.deepEqual(entry, {
          original: {
            source: client,
            destination: published,
            protocol: 17,
            sourcePort,
            destinationPort: PUBLISHED_PORT,
          },
          reply: {
            source: server,
            destination: client,
            protocol: 17,
            sourcePort: PORT,
            destinationPort: sourcePort,
          },
        });
      });

      for (const [way, forget] of Object.entries(ways)) {
        describe(`are forgotten ${way}`, () => {
          const cases: readonly [string, Omit<ConntrackSelection, 'family'>, number[][]][] = [
            [
              'from an address',
              { originalSource: client },
              [
                [0, 0, 1],
                [0, 0, 1],
              ],
            ],
            [
              'to an address, also by translation',
              { replySource: server },
              [
                [0, 0, 0],
                [0, 0, 0],
              ],
            ],
            [
              'of one protocol',
              { replySource: server, protocol: 'udp' },
              [
                [1, 1, 1],
                [0, 0, 0],
              ],
            ],
            [
              'between two addresses',
              { originalSource: other, replySource: server },
              [
                [1, 1, 0],
                [1, 1, 0],
              ],
            ],
            [
              'to a published port',
              { protocol: 'udp', originalDestinationPort: PUBLISHED_PORT },
              [
                [1, 1, 1],
                [1, 0, 1],
              ],
            ],
            [
              'to a published port of an address that is not this one',
              { protocol: 'udp', originalDestination: server, originalDestinationPort: PUBLISHED_PORT },
              [
                [1, 1, 1],
                [1, 1, 1],
              ],
            ],
            [
              'to a port of who answers',
              { protocol: 'tcp', replySource: server, replySourcePort: PORT },
              [
                [0, 0, 0],
                [1, 1, 1],
              ],
            ],
            [
              'that are none',
              { originalSource: published },
              [
                [1, 1, 1],
                [1, 1, 1],
              ],
            ],
          ];
          for (const [what, selection, left] of cases) {
            test(what, async () => {
              forgetAll();
              await talk();
              assert.deepEqual(counts(), [
                [1, 1, 1],
                [1, 1, 1],
              ]);
              forget({ family, ...selection });
              assert.deepEqual(counts(), left);
            });
          }
        });
      }
    });
  }

  test('of ICMP, which has no ports, are forgotten too', async () => {
    const { other } = addresses.ipv4;
    for (const forget of Object.values(ways)) {
      await promisify(execFile)('busybox', ['ping', '-c', '1', other]);
      const selection = { family: 'ipv4', originalDestination: other } as const;
      assert.ok(listConntrack(selection).some(({ original }) => original.protocol === 1));
      forget(selection);
      assert.deepEqual(listConntrack(selection), []);
    }
  });

  test('are never all meant by mistake', () => {
    const isRangeError = (what: RegExp) => (error: unknown) =>
      error instanceof RangeError && what.test(error.message);
    assert.throws(() => deleteConntrack({ family: 'ipv4' }), isRangeError(/no address/));
    assert.throws(() => deleteConntrack({ family: 'ipv4', protocol: 'udp' }), isRangeError(/no address/));
    assert.throws(
      () => deleteConntrack({ family: 'ipv4', replySource: 'fd09::1' }),
      isRangeError(/not an address of ipv4: fd09::1/),
    );
    assert.throws(
      () => deleteConntrack({ family: 'ipv4', originalDestinationPort: 80 }),
      isRangeError(/port 80 of which protocol/),
    );
    assert.throws(
      () => deleteConntrack({ family: 'ipv4', replySource: '10.0.0.1' }, { namespace: '/nowhere' }),
      LinuxError,
    );
    deleteConntrack([]);
  });

  test('a thousand are forgotten in little time, and few in nearly none', async (t) => {
    const { client, server, other } = addresses.ipv4;
    deleteConntrack({ family: 'ipv4', replySource: server });
    const socket = createSocket('udp4');
    socket.bind(0, client);
    await once(socket, 'listening');
    for (let port = 20_000; port < 21_000; port++) {
      await new Promise((sent) => socket.send('x', port, other, sent));
    }
    socket.close();
    assert.ok(listConntrack({ family: 'ipv4', originalSource: client }).length >= 1000);
    const time = (run: () => void) => {
      const startedAt = performance.now();
      run();
      return performance.now() - startedAt;
    };
    const many = time(() => deleteConntrack({ family: 'ipv4', originalSource: client }));
    assert.deepEqual(listConntrack({ family: 'ipv4', originalSource: client }), []);
    await ask(client, server, PORT);
    const few = time(() => deleteConntrack({ family: 'ipv4', originalSource: client }));
    t.diagnostic(`1000 in ${many.toFixed(2)} ms, one in ${few.toFixed(2)} ms`);
    assert.ok(many < 200 && few < 50, `${many} and ${few} ms`);
  });
});
